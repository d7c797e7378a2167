"""The process that works for nodes without an agent: there while it is needed, and no longer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from webfront.database.models import Node
from webfront.fleet.agentless import Machine, machine_of, note_machine
from webfront.plays.dispatching import Dispatching


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def node(name: str, machine: dict[str, object] | None, state: str = "active") -> Node:
    return Node.create(
        name=name, state=state, connection="ssh", address="10.0.0.9", created_at=time.time(), machine=machine
    )


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    program = f"open({str(tmp_path / 'started')!r}, 'a').write('x'); import time; time.sleep(60)"
    return (sys.executable, "-c", program)


def test_no_process_runs_where_every_node_has_an_agent(
    database: object, command: tuple[str, ...], tmp_path: Path
) -> None:
    dispatching = Dispatching(tmp_path / "nodes", command)
    node("alpha", None)
    node("gone", {}, "removed")
    dispatching.keep()
    assert dispatching._process is None


def test_of_several_controllers_one_has_it(database: object, command: tuple[str, ...], tmp_path: Path) -> None:
    node("far", {})
    dispatching = Dispatching(tmp_path / "nodes", command)
    dispatching.keep(leads=False)
    assert dispatching._process is None
    dispatching.keep(leads=True)
    running = dispatching._process
    assert running is not None
    dispatching.keep(leads=False)
    assert running.poll() is not None


def test_it_runs_while_a_node_has_none_and_is_started_again_when_it_died(
    database: object, command: tuple[str, ...], tmp_path: Path
) -> None:
    clock = Clock()
    dispatching = Dispatching(tmp_path / "nodes", command, clock)
    far = node("far", {})
    dispatching.keep()
    first = dispatching._process
    assert first is not None
    dispatching.keep()
    assert dispatching._process is first
    first.kill()
    first.wait()
    dispatching.keep()
    assert dispatching._process is None  # not at once after one that died at once
    clock.now += 1.1
    dispatching.keep()
    second = dispatching._process
    assert second is not None
    # What it has of a node that is gone, it still has to clear up.
    (tmp_path / "nodes" / "far").mkdir(parents=True)
    Node.update(state="removed").where(Node.name == far.name).execute()
    dispatching.keep()
    assert dispatching._process is second
    (tmp_path / "nodes" / "far").rmdir()
    dispatching.keep()
    assert dispatching._process is None
    assert second.poll() is not None


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys\n"
        "from webfront.plays.dispatching import _end_with\n"
        "own = os.getpid()\n"
        "p = subprocess.Popen(['sleep', '60'], preexec_fn=lambda: _end_with(own))\n"
        "print(p.pid, flush=True)\n"
        "os.kill(own, 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=Path.cwd())
    pid = int(done.stdout)
    until = time.monotonic() + 5
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_plays_know_of_a_machine_is_kept_in_its_row(database: object) -> None:
    node("far", {})
    node("alpha", None)
    assert machine_of(Node.get(Node.name == "far")) is None
    assert machine_of(Node.get(Node.name == "alpha")) is None
    known = Machine("/var/lib/x", "/usr/bin/python3", as_root=False)
    assert note_machine("far", known) is True
    assert note_machine("far", known) is False
    row = Node.get(Node.name == "far")
    assert machine_of(row) == known
    assert row.agentless
    assert not Node.get(Node.name == "alpha").agentless
