"""Machines for the tests: containers that boot systemd and an SSH server, as an ordinary Debian server does.

    machines.py create NAME --release debian-13 --owner LABEL [--user USER --authorized-key FILE | --password-file FILE]
                            [--share HOST_DIR:DIR]... [--capability NAME]...
    machines.py destroy NAME...
    machines.py sweep --owner LABEL

`create` replaces a machine of the same name, waits until it answers on SSH and prints one JSON object: `name`,
`address`, `port`, `user`, `host_key` (a known_hosts line's key type and key). `sweep` removes every machine of an
owner, so that what a killed run left behind goes with the next one. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

READY_WITHIN_S = 60.0

# What systemd needs in a container that is not privileged, and nothing more. SYS_ADMIN is for its own mounts and the
# sandboxes of its units; NET_ADMIN for network namespaces.
CONTAINER_OPTIONS = (
    "--cap-add=SYS_ADMIN",
    "--cap-add=NET_ADMIN",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--cgroupns=private",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--env=container=docker",
    # As on a machine of its own: Docker lets any program use them.
    "--sysctl=net.ipv4.ip_unprivileged_port_start=1024",
)


class MachineError(Exception):
    """A machine could not be made or did not come up."""


@dataclass(frozen=True)
class Machine:
    name: str
    address: str
    port: int
    user: str
    host_key: str


def docker(*arguments: str, stdin: str | None = None) -> str:
    """The output of a docker command; `MachineError` with its words when it fails."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise MachineError(f"docker {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def create(
    name: str,
    *,
    release: str,
    owner: str,
    user: str,
    authorized_key: Path | None,
    password: str | None,
    shares: list[str],
    capabilities: Sequence[str] = (),
    place: tuple[str, str] | None = None,
) -> Machine:
    """A fresh machine, up and answering. `user` may use sudo: without a password exactly when it has a key.

    `place` is a network of Docker's with the machine's address there, which it keeps; without it, it has any.
    """
    destroy([name])
    volumes = [f"--volume={share}" for share in shares]
    capable = [f"--cap-add={name}" for name in capabilities]
    network = [f"--network={place[0]}", f"--ip={place[1]}"] if place else []
    docker(
        "run",
        "--detach",
        f"--name={name}",
        f"--hostname={name}",
        f"--label=skerry.owner={owner}",
        *CONTAINER_OPTIONS,
        *capable,
        *volumes,
        *network,
        f"skerry-machine:{release}",
        "/lib/systemd/systemd",
    )
    wait_until_booted(name)
    add_user(name, user, authorized_key, password)
    return Machine(name=name, address=address(name), port=22, user=user, host_key=host_key(name))


def wait_until_booted(name: str) -> None:
    """Returns when systemd has reached a final state and the SSH server listens; `MachineError` after a minute."""
    until = time.monotonic() + READY_WITHIN_S
    state = ""
    while time.monotonic() < until:
        shown = subprocess.run(
            ["docker", "exec", name, "systemctl", "is-system-running"], capture_output=True, text=True, check=False
        )
        state = shown.stdout.strip()
        # "degraded" is up as well: a container lacks some of the kernel's file systems that units want to mount.
        if state in ("running", "degraded") and is_active(name, "ssh.service"):
            return
        time.sleep(0.2)
    failed = subprocess.run(
        ["docker", "exec", name, "systemctl", "--failed", "--plain", "--no-legend"],
        capture_output=True,
        text=True,
        check=False,
    )
    raise MachineError(f"{name} did not boot within {READY_WITHIN_S:.0f} s (state {state!r}): {failed.stdout.strip()}")


def is_active(name: str, unit: str) -> bool:
    return (
        subprocess.run(
            ["docker", "exec", name, "systemctl", "is-active", "--quiet", unit], capture_output=True, check=False
        ).returncode
        == 0
    )


def add_user(name: str, user: str, authorized_key: Path | None, password: str | None) -> None:
    home = "/root" if user == "root" else f"/home/{user}"
    if user != "root":
        docker("exec", name, "useradd", "--create-home", "--shell", "/bin/bash", user)
        rule = f"{user} ALL=(ALL) {'ALL' if authorized_key is None else 'NOPASSWD: ALL'}\n"
        write_file(name, f"/etc/sudoers.d/{user}", rule, mode="0440", owner="root")
    if password is not None:
        docker("exec", "--interactive", name, "chpasswd", stdin=f"{user}:{password}\n")
    if authorized_key is not None:
        docker("exec", name, "install", "-d", "-m", "0700", "-o", user, f"{home}/.ssh")
        write_file(name, f"{home}/.ssh/authorized_keys", authorized_key.read_text(), mode="0600", owner=user)


def write_file(name: str, path: str, content: str, *, mode: str, owner: str) -> None:
    docker("exec", "--interactive", name, "install", "-m", mode, "-o", owner, "/dev/stdin", path, stdin=content)


def address(name: str) -> str:
    """Where it is in Docker's network, which may be another place after each start."""
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)


def host_key(name: str) -> str:
    """The machine's ED25519 host key as it stands on its disk: no network is asked, so no one in between can lie."""
    return " ".join(docker("exec", name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])


def destroy(names: list[str]) -> None:
    """Removes these machines with their anonymous volumes; one that is not there is no error."""
    for name in names:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False, timeout=120)


def sweep(owner: str) -> None:
    """Removes every machine of this owner."""
    destroy(docker("ps", "--all", "--quiet", "--filter", f"label=skerry.owner={owner}").split())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("create")
    making.add_argument("name")
    making.add_argument("--release", choices=("debian-12", "debian-13"), default="debian-13")
    making.add_argument("--owner", required=True)
    making.add_argument("--user", default="root")
    making.add_argument("--authorized-key", type=Path)
    making.add_argument("--password-file", type=Path)
    making.add_argument("--share", action="append", default=[], metavar="HOST_DIR:DIR")
    making.add_argument("--capability", action="append", default=[], metavar="NAME")
    ending = verbs.add_parser("destroy")
    ending.add_argument("name", nargs="+")
    sweeping = verbs.add_parser("sweep")
    sweeping.add_argument("--owner", required=True)
    asked = parser.parse_args()
    try:
        if asked.verb == "create":
            machine = create(
                asked.name,
                release=asked.release,
                owner=asked.owner,
                user=asked.user,
                authorized_key=asked.authorized_key,
                password=asked.password_file.read_text().strip() if asked.password_file else None,
                shares=asked.share,
                capabilities=asked.capability,
            )
            print(json.dumps(asdict(machine)))
        elif asked.verb == "destroy":
            destroy(asked.name)
        else:
            sweep(asked.owner)
    except MachineError as error:
        print(f"machines.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
