"""A bare Debian machine joins by itself: nothing signs in there, and it gets what it needs by asking."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

FOLDER = "/var/lib/skerry-join"
NAME = "joiner"


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


def test_a_machine_joins(platform: Any, machine: Any, front: str) -> None:
    invitation, token = invite(platform, slots=2, labels=["joined"])
    joining = Joining(machine, front, token)
    joining.says("Its code is", within_s=20)
    approve(platform, invitation)
    code = joining.ended(within_s=240)
    print(joining.text, file=sys.stderr)
    assert code == 0
    node = platform.api.get(f"/nodes/{NAME}").json()["node"]
    assert (node["state"], node["slots"], node["labels"], node["joined"]) == ("active", 2, ["joined"], True)
    assert "No such file" in machine.run("ls", FOLDER)
