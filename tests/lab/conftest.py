"""A platform of the embedded profile that machines beside this one can reach, and the machines."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import support.machines

PROJECT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(os.environ.get("SKERRY_ARTIFACTS", PROJECT / "artifacts"))
OWNER = f"{PROJECT}:lab"
FIRST_PORT, LAST_PORT, PORTS_NEEDED = 21600, 21690, 6


@dataclass(frozen=True)
class Platform:
    """A running platform. `home` holds everything it has written."""

    home: Path
    port: int
    api: httpx.Client

    @property
    def front(self) -> str:
        """The web front, as machines on Docker's bridge reach it."""
        return f"http://{address_for_machines()}:{self.port}"

    @property
    def broker_password(self) -> str:
        return (self.home / "secrets" / "broker-password").read_text().strip()

    def broker(self, path: str) -> list[dict[str, Any]]:
        """What the broker's management API lists at this path."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.port + 2}/api/{path}", auth=("skerry", self.broker_password), timeout=10
        )
        answer.raise_for_status()
        listed: list[dict[str, Any]] = answer.json()
        return listed

    def play_ended(self, play: dict[str, Any], *, within_s: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The play at its end, and its steps as they came; they are followed as the page does it."""
        steps: list[dict[str, Any]] = []
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            answer = self.api.get(f"/plays/{play['id']}/events", params={"after": steps[-1]["number"] if steps else 0})
            answer.raise_for_status()
            progress = answer.json()
            steps += progress["events"]
            if progress["play"]["state"] in ("succeeded", "failed"):
                return progress["play"], steps
            time.sleep(0.5)
        raise AssertionError(f"the play did not end within {within_s:.0f} s; its last steps: {steps[-3:]}")


@dataclass(frozen=True)
class Machine:
    """A container that boots systemd and an SSH server."""

    name: str
    address: str
    port: int
    user: str
    host_key: str

    def run(self, *command: str) -> str:
        """What a command on the machine prints, run as root; its exit status does not matter."""
        done = subprocess.run(["docker", "exec", self.name, *command], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("platform")
    # The tests' own environment has what the controller's has: no second one is made.
    (home / "venv").symlink_to(sys.prefix)
    port = free_port_base()
    environment = {
        **os.environ,
        "SKERRY_HOME": str(home),
        "SKERRY_PORT_BASE": str(port),
        # Machines on Docker's bridge reach broker and web front there; the controller's own processes by the loopback.
        "SKERRY_BROKER_LISTEN": "0.0.0.0",
        "SKERRY_WEB_LISTEN": "0.0.0.0",
        "SKERRY_BROKER_HOST": address_for_machines(),
    }
    try:
        command = ["ansible-playbook", "-i", "inventories/embedded", "playbooks/site.yml"]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        yield Platform(home, port, signed_in(home, port))
    finally:
        keep_logs(home)
        end(home)


def signed_in(home: Path, port: int) -> httpx.Client:
    """A client of the API, signed in as the administrator."""
    api = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)
    password = (home / "secrets" / "admin-password").read_text().strip()
    answer = api.post("/tokens", json={"user": "admin", "password": password})
    assert answer.status_code == 201, answer.text
    api.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return api


def free_port_base() -> int:
    """The first of a few ports in a row that nothing listens on."""
    for base in range(FIRST_PORT, LAST_PORT, PORTS_NEEDED + 4):
        if all(is_free(base + offset) for offset in range(PORTS_NEEDED)):
            return base
    raise AssertionError(f"no {PORTS_NEEDED} ports in a row are free from {FIRST_PORT} to {LAST_PORT}")


def is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


def address_for_machines() -> str:
    """This machine's address as a container on Docker's bridge sees it."""
    subnet = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        # Nothing is sent: this only asks the kernel by which address it would.
        one.connect((str(ipaddress.ip_network(subnet)[2]), 9))
        address: str = one.getsockname()[0]
    return address


def keep_logs(home: Path) -> None:
    kept = ARTIFACTS / "lab"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in [*home.glob("state/*.log"), *home.glob("supervisor/*.log"), *home.glob("nodes/*/state/*.log")]:
        shutil.copy(log, kept / "-".join(log.relative_to(home).parts))


def end(home: Path) -> None:
    """Ends the platform: its supervisor first, then whatever carries its mark and is still there."""
    control = [str(home / "venv/bin/supervisorctl"), "-c", str(home / "supervisor/supervisord.conf"), "shutdown"]
    subprocess.run(control, capture_output=True, check=False, timeout=60)
    until = time.monotonic() + 40
    while marked(home) and time.monotonic() < until:
        time.sleep(0.3)
        # The broker's port mapper makes itself a daemon and is told by nobody.
        only_mapper_left = all("epmd" in name for name in marked(home).values())
        if only_mapper_left:
            break
    for pid in marked(home):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def marked(home: Path) -> dict[int, str]:
    """The processes that carry this platform's mark, with their names."""
    found: dict[int, str] = {}
    mark = f"SKERRY_EMBEDDED_HOME={home}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
            except OSError:
                continue
    return found


@pytest.fixture(scope="session")
def key_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key file; its public half beside it, with `.pub`."""
    file = tmp_path_factory.mktemp("key") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(file)], check=True)
    return file


@pytest.fixture(scope="module")
def make_machine(platform: Platform) -> Iterator[Callable[..., Machine]]:
    """Makes machines with the platform's share where nodes expect it. They are removed with the module's end."""
    made: list[str] = []

    def make(name: str, *options: str, shares: bool = True) -> Machine:
        name = f"{name}-{os.getpid()}"
        made.append(name)
        share = [f"--share={platform.home / 'share'}:/srv/skerry"] if shares else []
        return Machine(**support.machines.make_machine(name, OWNER, "--user=edge", *share, *options))

    yield make
    for name in made:
        journal = subprocess.run(["docker", "exec", name, "journalctl", "--no-pager"], capture_output=True, check=False)
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        (ARTIFACTS / f"{name.rpartition('-')[0]}.journal").write_bytes(journal.stdout)
        support.machines.remove_machine(name)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
