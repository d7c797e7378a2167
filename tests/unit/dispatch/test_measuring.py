"""What heartbeats tell of a machine without an agent between its measurings, and when they stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import yaml

from dispatch.attempt import STEPS
from dispatch.line import Line, Reached
from dispatch.measuring import FarMachine, measure
from dispatch.plays import Plays
from node_scripts.running.interface import Refused
from webfront.fleet.agentless import Machine
from wire.messages import Metrics

PROJECT = Path(__file__).resolve().parents[3]
IDLE = Metrics(cpu_count=4, free_cpu_percent=90, memory_gb=16, free_memory_gb=12, free_memory_percent=75)
NODE = Reached("far", "10.0.0.9", 2222, "edge", "ssh-ed25519 AAAA", 1, Machine("/var/lib/x", "/usr/bin/python3"))


async def again() -> bool:
    return True


def far(folder: Path, now: Callable[[], float]) -> FarMachine:
    return FarMachine(folder / "measured.json", 60.0, again, now=now)


def test_it_is_out_of_reach_before_the_first_measuring_and_after_three_in_vain(tmp_path: Path) -> None:
    machine = far(tmp_path, lambda: 1000.0)
    told = msgspec.structs.replace(IDLE, measured_at=1000.0)
    assert machine.collect() is None
    machine.measured(IDLE, "x86_64")
    assert machine.collect() == told
    assert [machine.missed(), machine.collect()] == [1, told]
    assert [machine.missed(), machine.collect()] == [2, told]
    assert [machine.missed(), machine.collect()] == [3, None]
    machine.measured(IDLE, "x86_64")
    assert machine.collect() == told


def test_a_new_process_beats_on_with_the_figures_of_the_one_before(tmp_path: Path) -> None:
    far(tmp_path, lambda: 1000.0).measured(IDLE, "aarch64")
    later = far(tmp_path, lambda: 1100.0)
    assert later.collect() == msgspec.structs.replace(IDLE, measured_at=1000.0)
    assert later.arch == "aarch64"
    assert later.missed() == 2
    assert far(tmp_path, lambda: 1181.0).collect() is None


def test_what_it_refuses_is_what_its_newest_reading_says_and_what_it_has_refused_since(tmp_path: Path) -> None:
    machine = far(tmp_path, lambda: 1000.0)
    assert machine.refusal() is None
    machine.refused("no_user", "before it was ever measured")
    assert machine.refusal() is None
    machine.measured(msgspec.structs.replace(IDLE, free_disk_gb=0.01), "x86_64")
    assert machine.refusal() == Refused("no_space", "10 MB are free on the machine")
    machine.measured(msgspec.structs.replace(IDLE, free_disk_gb=50.0), "x86_64")
    assert machine.refusal() is None
    machine.refused("no_sandbox", "it cannot fork")
    assert machine.refusal() == Refused("no_sandbox", "it cannot fork")
    # A new process goes on with it, and the next reading says whether it would refuse again.
    assert far(tmp_path, lambda: 1001.0).refusal() == Refused("no_sandbox", "it cannot fork")
    machine.measured(IDLE, "x86_64", (Refused("no_sandbox", "not yet"),))
    assert machine.refusal() == Refused("no_sandbox", "not yet")
    machine.measured(IDLE, "x86_64")
    assert machine.refusal() is None


class OnePlay:
    """Answers for the nodes it is given words for."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.asked: Mapping[str, Any] = {}

    async def measure(self, nodes: Mapping[str, Any], heard: Callable[[str, Any], None]) -> None:
        self.asked = nodes
        for name, words in self.said.items():
            await asyncio.to_thread(heard, name, words)


class Known:
    def __init__(self, machine: FarMachine) -> None:
        self.machine = machine
        self.node = NODE

    def known(self) -> tuple[int, tuple[str, ...]]:
        return 17, ("j.1",)


def test_one_play_measures_all_and_tells_each_what_is_wanted_there(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    nodes = {name: Known(far(tmp_path / name, lambda: 1.0)) for name in "abc"}
    told = msgspec.json.encode({"metrics": IDLE, "arch": "x86_64"}).decode()
    play = OnePlay({"a": told, "b": "what a login shell says", "stranger": told})
    assert asyncio.run(measure(cast(Plays, play), nodes)) == {"a"}
    assert play.asked["c"][1] == {"dispatch_measure": ["17", "j.1"], "dispatch_benchmark": False}
    assert nodes["a"].machine.collect() is not None
    refusing = msgspec.json.encode({"metrics": IDLE, "refusals": [{"kind": "no_user", "words": "none"}]}).decode()
    assert asyncio.run(measure(cast(Plays, OnePlay({"a": refusing})), nodes)) == {"a"}
    assert nodes["a"].machine.refusal() == Refused("no_user", "none")
    assert nodes["b"].machine.collect() is None


def test_the_way_to_a_machine_trusts_its_pinned_key_alone(tmp_path: Path) -> None:
    line = Line(NODE, tmp_path / "key", tmp_path, Path("/x/kit.pyz"))
    argv = line.argv("follow", "j.1", "0")
    assert "StrictHostKeyChecking=yes" in argv
    assert "HostKeyAlias=far" in argv
    assert argv[-1] == "sudo -n -- /usr/bin/python3 -I /var/lib/x/kit/kit.pyz /var/lib/x follow j.1 0"
    assert (tmp_path / "known_hosts").read_text() == "far ssh-ed25519 AAAA\n"


def test_each_step_of_a_dispatch_has_its_words() -> None:
    plays = yaml.safe_load((PROJECT / "playbooks/dispatch.yml").read_text())
    sent = [task["name"] for play in plays for task in play["tasks"] if set(task["tags"]) & {"stage", "run"}]
    assert sent == list(STEPS)
