"""What is told to be wanted on a machine, over restarts of the process that tells it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from dispatch.line import Line, Reached
from dispatch.measuring import FarMachine
from dispatch.plays import Played, Plays
from dispatch.runner import DispatchRunner
from node_scripts.dispatched.places import Staged
from node_scripts.running.interface import AttemptEnded, Ended, Recovered
from node_scripts.running.rooms import read_record
from webfront.fleet.agentless import Machine
from webfront.plays.outcome import Failure
from wire.messages import AppRef, Cause, Order

VERSION = "a" * 64
ORDER = Order(job="j", attempt=1, app=AppRef("a", VERSION, "main.py"))
NODE = Reached("far", "10.0.0.9", 22, "root", "ssh-ed25519 AAAA", 1, Machine("/x", "/usr/bin/python3"))


class Broken:
    """Plays that fail as they are told."""

    def __init__(self, *outcomes: Played) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[dict[str, Any]] = []

    async def dispatch(self, node: Reached, tags: str, variables: dict[str, Any], tell: Any) -> Played:
        self.sent.append(variables)
        return self.outcomes.pop(0)


def runner(folder: Path, plays: Broken) -> DispatchRunner:
    share = folder / "share"
    (share / "apps" / VERSION).mkdir(parents=True, exist_ok=True)
    line = Line(NODE, folder / "key", folder, Path("/x/kit.pyz"))
    machine = FarMachine(folder / "measured.json", 60.0, lambda: None)
    return DispatchRunner(line, cast(Plays, plays), folder, share, machine)


def test_what_an_earlier_process_sent_is_wanted_before_anything_was_recovered(tmp_path: Path) -> None:
    (tmp_path / "attempts" / "j.1").mkdir(parents=True)
    (tmp_path / "attempts" / "k.2").mkdir()
    made = runner(tmp_path, Broken())
    first, known = made.known()
    assert known == ("j.1", "k.2")
    made.clear([ORDER])
    second, known = made.known()
    assert known == ("j.1",)
    assert second > first
    assert not (tmp_path / "attempts" / "k.2").exists()


def test_what_cannot_be_sent_is_rejected_in_the_plays_own_words_and_not_sent_again_after_a_death(
    tmp_path: Path,
) -> None:
    plays = Broken(*[Played(Failure("The disk is full.", "Make room."))] * 3)
    made = runner(tmp_path, plays)

    async def scenario() -> Ended:
        try:
            await made.prepare(ORDER, 0, lambda what, detail="": None)
        except AttemptEnded as end:
            return end.ended
        raise AssertionError

    ended = asyncio.run(scenario())
    assert ended == Ended(Cause.REJECTED, "The disk is full. Make room.")
    staged = read_record(tmp_path / "attempts" / "j.1" / "order.json", Staged)
    assert staged is not None
    assert {one["dispatch_serial"] for one in plays.sent} == {staged.serial}

    async def again() -> Ended:
        found = runner(tmp_path, Broken()).recover(ORDER, 0)
        assert not isinstance(found, Recovered)
        await found.wait()
        return await found.finish()

    assert asyncio.run(again()) == ended


def test_nothing_was_launched_where_nothing_was_about_to_be_sent(tmp_path: Path) -> None:
    async def scenario() -> object:
        return runner(tmp_path, Broken()).recover(ORDER, 0)

    assert asyncio.run(scenario()) is Recovered.NOT_LAUNCHED
