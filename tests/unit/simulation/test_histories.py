"""Histories of the whole platform in virtual time, by the seed; see `tests/support/simulation`.

Some three hundred here, and as many as one likes by `./faults simulator`: SKERRY_HISTORIES says how many,
SKERRY_FIRST_SEED from which seed on.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

import pytest
from support.simulation.history import play, prepare_database
from support.simulation.network import Weather
from support.simulation.plan import Break, Fault, Plan, Submission

HISTORIES: Final = 300
LONGEST_S: Final = 30.0
"""Of processor time, where nobody has asked for more: a slow machine plays fewer."""


def _of_one_node(seed: int, *faults: Fault) -> Plan:
    job = Submission("J1", at=1.0, version=1, cancel_at=None)
    return Plan(seed=seed, slots=(1,), schedulers=1, weather=Weather(), jobs=(job,), faults=faults)


def _fault(at: float, kind: Break, where: int = 0, **more: Any) -> Fault:
    return Fault(at=at, kind=kind, where=where, seconds=0, fuse=0, **more)


MENDED: Final = [
    # The controller's clock went back an hour: for that long the job waited for the only node, which had lost it.
    _of_one_node(
        3,
        _fault(6.0, Break.AGENT_DIES, takes_apps=True),
        _fault(24.0, Break.CLOCK_JUMPS, jump_s=-3600.0),
    ),
    # A node's clock was behind when it lost its journal: for that long its claims were not missed.
    _of_one_node(
        8,
        _fault(4.0, Break.CLOCK_JUMPS, 1, jump_s=-3600.0),
        _fault(6.0, Break.AGENT_DIES, takes_journal=True),
    ),
    # The scheduler dies when its order is out, and what the node says of it is purged: the agent's journal knew the
    # attempt as ended, and the order for it came again and again.
    Plan(
        seed=1,
        slots=(1,),
        schedulers=1,
        weather=Weather(),
        jobs=(Submission("J1", at=1.0, version=1, cancel_at=None),),
        faults=(
            Fault(at=0.5, kind=Break.SCHEDULER_DIES, where=0, seconds=0, fuse=3),
            Fault(at=2.0, kind=Break.QUEUE_PURGED, where=0, seconds=0, fuse=0),
        ),
    ),
]
"""What each showed before it was mended: a plan as short as it can be, or that of a seed (`draw`)."""

pytestmark = [
    # The checker reads what SQLite alone can tell at once.
    pytest.mark.stores("sqlite"),
    # A process that dies has begun what it never comes to.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]


@pytest.fixture(autouse=True)
def platform(hasty: None) -> None:
    prepare_database()


def test_every_history_keeps_what_the_platform_promises(tmp_path: Path) -> None:
    asked = os.environ.get("SKERRY_HISTORIES")
    first = int(os.environ.get("SKERRY_FIRST_SEED", "0"))
    bad, played, began, turns, longest = [], 0, time.process_time(), 0, 0.0
    for seed in range(first, first + int(asked or HISTORIES)):
        outcome = play(seed, tmp_path / "history")
        played, turns, longest = played + 1, turns + outcome.turns, max(longest, outcome.ended_s)
        if outcome.found:
            bad.append(f"SKERRY_FIRST_SEED={seed} SKERRY_HISTORIES=1: {outcome.found[0]}")
        if asked is None and time.process_time() - began > LONGEST_S:
            break
    took = time.process_time() - began
    print(f"{played} histories in {took:.1f} s of one core, {played * 60 / took:.0f} a minute, {turns} changes of the")
    print(f"database; the last job ended {longest:.0f} s after the faults")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("plan", MENDED, ids=lambda plan: str(plan.seed))
def test_a_plan_that_failed_once_keeps_them(plan: Plan, tmp_path: Path) -> None:
    assert play(plan.seed, tmp_path / "history", plan=plan).found == []


def test_a_seed_is_one_history(tmp_path: Path) -> None:
    once, again, other = (play(seed, tmp_path / "history") for seed in (3, 3, 4))
    assert once == again
    assert once.digest != other.digest
