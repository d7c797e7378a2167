"""Accounts as they are, and what goes wrong most often: each is caused on a real machine, and named with what to do.

Most of it is told by "Test the connection", which writes nothing; one account with all oddities is registered whole.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BROKER = "Check that the machine reaches the broker"
ROOT = "Check that the connection may become root"
NOISE = 'echo "DISK=1 a profile speaks"; echo "{\\"changed\\": true}"\n'
PASSWORD = "a-password-of-one"


class Odd:
    """The machine, and what is done to it as root."""

    def __init__(self, platform: Any, machine: Any, key: Path) -> None:
        self._platform, self._machine, self._key = platform, machine, key
        self._uid = 3000

    def sh(self, script: str, given: str = "") -> None:
        command = ["docker", "exec", "--interactive", self._machine.name, "sh", "-ec", script]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, (script, done.stderr)

    def user(
        self, name: str, *, home: str, shell: str = "/bin/bash", sudo: str = "NOPASSWD: ALL", rc: str = ""
    ) -> None:
        """Add a user whom `useradd` would refuse, as a directory's client makes them."""
        self._uid += 1
        number = str(self._uid)
        self.sh("cat >> /etc/passwd", f"{name}:x:{number}:{number}::{home}:{shell}\n")
        self.sh("cat >> /etc/group", f"g{number}:x:{number}:\n")
        self.sh("cat >> /etc/shadow", f"{name}:*:19000:0:99999:7:::\n")
        self.sh("chpasswd", f"{name}:{PASSWORD}\n")
        self.sh(f"mkdir -p '{home}/.ssh'")
        self.sh(f"cat > '{home}/.ssh/authorized_keys'", Path(f"{self._key}.pub").read_text())
        for file in (".bashrc", ".profile", ".tcshrc"):
            self.sh(f"cat > '{home}/{file}'", rc)
        self.sh(
            f"chown -R {number}:{number} '{home}'; chmod 0700 '{home}/.ssh'; chmod 0600 '{home}/.ssh/authorized_keys'"
        )
        if sudo:
            self.sh(
                f"cat > /etc/sudoers.d/u{number}; chmod 0440 /etc/sudoers.d/u{number}", f"#{number} ALL=(ALL) {sudo}\n"
            )

    def ask(self, path: str = "/nodes/test", **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """The play as it ended, and what each step said."""
        machine = self._machine
        body = {"name": "odd", "address": machine.address, "ssh_port": machine.port, "ssh_user": machine.user}
        body |= {"host_key": machine.host_key, "private_key": self._key.read_text(), **more}
        answer = self._platform.api.post(path, json=body)
        assert answer.status_code == 202, answer.text
        play, _ = self._platform.play_ended(answer.json()["play"], within_s=300)
        events = self._platform.api.get(f"/plays/{play['id']}/events").json()["events"]
        return play, {one["step"]: one["detail"] for one in events}

    def is_told(self, step: str, message: str, advice: str = "", **more: Any) -> None:
        play, _ = self.ask(**more)
        assert (play["state"], play["failed_step"]) == ("failed", step), play
        assert message in play["message"], play
        assert advice in play["message"] + play["advice"], play


@pytest.fixture(scope="module")
def odd(platform: Any, make_machine: Callable[..., Any], key_pair: Path) -> Odd:
    machine = make_machine("skerry-lab-odd", f"--authorized-key={key_pair}.pub")
    made = Odd(platform, machine, key_pair)
    made.sh("apt-get update -q && apt-get install -qy --no-install-recommends tcsh iptables")
    # It would shut out for a while who is let in in vain so often.
    made.sh("echo PerSourcePenalties no > /etc/ssh/sshd_config.d/penalties.conf && systemctl reload ssh")
    return made


@pytest.fixture(scope="module")
def ipv6(odd: Odd) -> Iterator[str]:
    """An address of the machine in a network of its own."""
    name = f"skerry-lab-v6-{os.getpid()}"
    subnet = f"fd00:5ce:{os.getpid() % 65536:x}::/64"
    subprocess.run(["docker", "network", "create", "--ipv6", f"--subnet={subnet}", name], check=True)
    try:
        subprocess.run(["docker", "network", "connect", name, odd._machine.name], check=True)
        form = f'{{{{(index .NetworkSettings.Networks "{name}").GlobalIPv6Address}}}}'
        shown = subprocess.run(
            ["docker", "inspect", "--format", form, odd._machine.name], check=True, capture_output=True, text=True
        )
        yield shown.stdout.strip()
    finally:
        subprocess.run(["docker", "network", "disconnect", "--force", name, odd._machine.name], check=False)
        subprocess.run(["docker", "network", "rm", name], check=False)


def test_what_is_wrong_is_named_with_what_to_do(odd: Odd) -> None:
    odd.user("asked", home="/home/asked", sudo="ALL")
    odd.user("nobodys", home="/home/nobodys", sudo="")
    _, found = odd.ask()
    assert found["Check that its operating system is supported"] == "debian 13"
    assert "MB free on /" in found["Check free disk space"]
    assert found[BROKER].endswith(f"port {odd._platform.port + 1}")

    odd.is_told(
        "Reach the machine", "does not let the user asked in", "Check", ssh_user="asked", private_key="", password="x"
    )
    odd.is_told("Reach the machine", "the platform's own key", "line to paste", private_key="", platform_key=True)
    odd.is_told(ROOT, "may not become root there without a password", "Give that user's password", ssh_user="asked")
    odd.is_told(ROOT, "sudo refused the password", "Check the password", ssh_user="asked", password="wrong")
    odd.is_told(ROOT, "no right to use sudo", "usermod", ssh_user="nobodys", password=PASSWORD)
    assert odd.ask(ssh_user="asked", password=PASSWORD)[0]["state"] == "succeeded"
    assert odd.ask(ssh_user="asked", private_key="", password=PASSWORD)[0]["state"] == "succeeded"
    another = " ".join(Path(f"{odd._key}.pub").read_text().split()[:2])
    odd.is_told("Reading the machine's host key", "does not show the host key", "Change, on its page", host_key=another)

    odd.sh("mv /usr/bin/sudo /usr/bin/sudo.away")
    odd.is_told(ROOT, "sudo is not installed", "Install the package sudo")
    odd.sh("mv /usr/bin/sudo.away /usr/bin/sudo; mv /usr/bin/python3 /usr/bin/python3.away")
    play, found = odd.ask()
    assert (play["state"], found["Check that its Python is new enough"]) == (
        "succeeded",
        "none yet; a registration installs it",
    )
    odd.sh("printf '#!/bin/sh\\necho Python 3.9.2\\n' > /usr/bin/python3; chmod 0755 /usr/bin/python3")
    odd.is_told("Check that its Python is new enough", "is 3.9.2; a node needs 3.11", "Upgrade")
    odd.sh(
        "mv /usr/bin/python3.away /usr/bin/python3; "
        "mkdir /opt/skerry-agent; mount -t tmpfs -o size=8m small /opt/skerry-agent"
    )
    odd.is_told("Check free disk space", "are free on the disk at /opt/skerry-agent", "Make room there")
    odd.sh("umount /opt/skerry-agent; rmdir /opt/skerry-agent")
    port = odd._platform.port + 1
    odd.sh(f"iptables -A OUTPUT -p tcp --dport {port} -j DROP")
    odd.is_told(BROKER, "does not answer: a firewall", "the way from the machine to this port")
    odd.sh(f"iptables -F; iptables -A OUTPUT -p tcp --dport {port} -j REJECT")
    odd.is_told(BROKER, "refuses the connection", "listens on it")
    odd.sh("iptables -F")
    # Nothing was written, whatever was tested.
    odd.sh("! ls -d /opt/skerry-agent /etc/skerry-agent /var/lib/skerry-agent /home/*/.ansible 2>/dev/null")


def test_an_account_with_every_oddity_is_registered_and_given_back(odd: Odd, ipv6: str) -> None:
    odd.user("ann@corp.example", home="/home/ann@corp.example", rc=NOISE)
    assert odd.ask(ssh_user="ann@corp.example")[0]["state"] == "succeeded"
    name = "CORP\\ann"
    odd.user(name, home="/home/CORP/ann", shell="/bin/tcsh", rc=NOISE)
    # It lets the platform in as its page says, by the account's own shell, and hands over nothing.
    line = odd._platform.api.get("/platform-key").json()["line"]
    for _ in range(2):
        odd.sh(f"su '{name}'", line + "\n")
    play, found = odd.ask("/nodes", ssh_user=name, address=f"[{ipv6}]", private_key="", platform_key=True)
    assert play["state"] == "succeeded", (play, found)
    node = odd._platform.api.get("/nodes/odd").json()["node"]
    assert (node["state"], node["address"], node["ssh_user"]) == ("active", ipv6, name)
    odd.sh("test $(grep -c ' skerry$' /home/CORP/ann/.ssh/authorized_keys) = 1")
    removed = odd._platform.api.delete("/nodes/odd").json()["play"]
    play, _ = odd._platform.play_ended(removed, within_s=200)
    assert play["state"] == "succeeded", play
    odd.sh("! grep ' skerry$' /home/CORP/ann/.ssh/authorized_keys")
