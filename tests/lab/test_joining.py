"""A bare Debian machine joins by itself: nothing signs in there, and it gets what it needs by asking."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.lab import job_ended
from support.zips import zipped

FOLDER = "/var/lib/skerry-join"
NAME = "joiner"
PLACES = (FOLDER, "/opt/skerry-agent", "/etc/skerry-agent", "/var/lib/skerry-agent")


class Joining:
    """The program at work on a machine, as whoever pastes the line sees it."""

    def __init__(self, machine: Any, front: str, token: str, *options: str) -> None:
        self.said: list[str] = []
        command = shlex.join(["python3", "/root/skerry.pyz", "join", "--front", front, *options, token])
        self._program = subprocess.Popen(
            ["docker", "exec", machine.name, "sh", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self.said.append(line)

    @property
    def text(self) -> str:
        return "".join(self.said)

    def says(self, words: str, *, within_s: float) -> None:
        until = time.monotonic() + within_s
        while words not in self.text:
            assert time.monotonic() < until, self.text
            assert self._program.poll() is None or words in self.text, self.text
            time.sleep(0.05)

    def ended(self, *, within_s: float) -> int:
        code = self._program.wait(within_s)
        self._reader.join()
        return code


@pytest.fixture(scope="module")
def front(platform: Any) -> str:
    """The web front as machines on Docker's bridge reach it."""
    found: str = platform.front
    return found


@pytest.fixture(scope="module")
def machine(make_machine: Callable[..., Any], front: str) -> Any:
    made = make_machine("skerry-lab-join")
    fetch(made, front)
    return made


@pytest.fixture(scope="module")
def other_machine(make_machine: Callable[..., Any], front: str) -> Any:
    made = make_machine("skerry-lab-join-other", "--release=debian-12", shares=False)
    fetch(made, front)
    return made


def fetch(machine: Any, front: str) -> None:
    body = httpx.get(f"{front}/join/skerry.pyz", timeout=30).raise_for_status().content
    subprocess.run(
        ["docker", "exec", "--interactive", machine.name, "sh", "-c", "cat > /root/skerry.pyz"], input=body, check=True
    )


def invite(platform: Any, node: str = NAME, **more: Any) -> tuple[int, str]:
    made = platform.api.post("/invitations", json={"node": node, **more})
    assert made.status_code == 201, made.text
    return made.json()["invitation"]["id"], made.json()["token"]


def shown(platform: Any, invitation: int) -> dict[str, Any]:
    found: dict[str, Any] = platform.api.get(f"/invitations/{invitation}").raise_for_status().json()["invitation"]
    return found


def approve(platform: Any, invitation: int) -> None:
    code = shown(platform, invitation)["machine"]["code"]
    answer = platform.api.post(f"/invitations/{invitation}/approve", json={"code": code})
    assert answer.status_code == 202, answer.text
    play, steps = platform.play_ended(answer.json()["play"], within_s=200)
    assert play["state"] == "succeeded", (play, steps[-3:])


def node(platform: Any) -> dict[str, Any]:
    found: dict[str, Any] = platform.api.get(f"/nodes/{NAME}").raise_for_status().json()["node"]
    return found


def users(platform: Any) -> list[str]:
    return [user["name"] for user in platform.broker("users") if NAME in user["name"]]


def kill(machine: Any, *patterns: str) -> None:
    for pattern in patterns:
        machine.run("pkill", "-KILL", "-f", pattern)


def there(machine: Any) -> str:
    """What of the platform is on the machine."""
    found: str = machine.run("sh", "-c", f"ls -d {' '.join(PLACES)} 2>/dev/null")
    return found


def runs_a_job(platform: Any) -> None:
    script = b"import sys; open(sys.argv[sys.argv.index('--output') + 1] + '/predictions.csv', 'w').write('right')"
    manifest = b"name: tool\nentrypoint: tool.py\ninputs: {required: false}\noutputs: [predictions.csv]\n"
    manifest += b"needs: {labels: [joined]}\n"
    files = {"file": ("tool.zip", zipped({"app.yml": manifest, "tool.py": script}))}
    platform.api.post("/apps", files=files).raise_for_status()
    job = platform.api.post("/jobs", json={"app": "tool"}).raise_for_status().json()["job"]["id"]
    ended = job_ended(platform.api, job, within_s=60)
    assert (ended["state"], ended["attempts"][-1]["node"]) == ("succeeded", NAME), ended


def test_a_machine_joins_though_it_is_killed_on_the_way_and_leaves(
    platform: Any, machine: Any, other_machine: Any, front: str
) -> None:
    _, token = invite(platform, hours=1 / 3600)
    time.sleep(1.1)
    expired = Joining(machine, front, token)
    assert expired.ended(within_s=20) == 1
    assert "expired" in expired.text
    assert there(machine) == ""

    invitation, token = invite(platform, slots=2, labels=["joined"])
    joining = Joining(machine, front, token)
    joining.says("Its code is", within_s=20)
    code = shown(platform, invitation)["machine"]["code"]
    assert f"Its code is {code}:" in joining.text
    kill(machine, "skerry.pyz")
    other = Joining(other_machine, front, token)
    assert other.ended(within_s=20) == 1
    assert "used by another machine" in other.text
    assert there(other_machine) == ""

    joining = Joining(machine, front, token)
    joining.says(f"Its code is {code}:", within_s=20)
    approve(platform, invitation)
    # Without the share nothing is installed, and the same line goes on when it is there.
    identity = platform.home / "share/.share-id"
    hidden = identity.rename(identity.with_name("hidden"))
    assert joining.ended(within_s=120) == 1
    hidden.rename(identity)
    assert "/srv/skerry is not the share of this platform" in joining.text
    assert there(machine).split() == [FOLDER]

    joining = Joining(machine, front, token)
    joining.says("Write the agent's settings", within_s=120)
    kill(machine, "skerry.pyz join")
    # The play that it has left behind is waited for.
    again = Joining(machine, front, token)
    assert again.ended(within_s=20) == 1
    assert "still running here" in again.text
    kill(machine, "ansible playbook")
    assert shown(platform, invitation)["state"] == "taken"

    joining = Joining(machine, front, token)
    assert joining.ended(within_s=120) == 0, joining.text
    assert "asks to join" not in joining.text
    found = node(platform)
    assert (found["state"], found["slots"], found["labels"], found["joined"]) == ("active", 2, ["joined"], True)
    assert users(platform) == [f"node-{NAME}"]
    assert FOLDER not in there(machine)
    password = machine.run("cat", "/etc/skerry-agent/broker-password").strip()
    assert len(password) == 40
    assert machine.run("grep", "-rl", password, "/opt", "/root", "/tmp", "/var/lib") == ""
    assert password not in joining.text

    runs_a_job(platform)

    play, _ = platform.play_ended(platform.api.delete(f"/nodes/{NAME}").json()["play"], within_s=60)
    assert play["state"] == "succeeded", play
    assert users(platform) == []
    assert node(platform)["state"] == "removed"
    said = machine.run("python3", "/opt/skerry-agent/join/skerry.pyz", "leave")
    assert "The platform is off this machine." in said, said
    assert there(machine) == ""
    assert "could not be found" in machine.run("systemctl", "status", "skerry-agent.service")
