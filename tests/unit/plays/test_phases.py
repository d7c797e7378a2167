"""The phases of plays: what they are made of, and how they stand as a play goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from webfront.plays.phases import REGISTERING, Told, view
from webfront.plays.states import StepState
from webfront.plays.verbs import VERBS

PROJECT = Path(__file__).resolve().parents[3]
OK, CHANGED, SKIPPED, RUNNING, FAILED = (
    StepState.OK,
    StepState.CHANGED,
    StepState.SKIPPED,
    StepState.RUNNING,
    StepState.FAILED,
)


@pytest.mark.parametrize("verb", [verb for verb in VERBS.values() if verb.phases], ids=lambda verb: verb.name)
def test_every_play_of_the_playbook_belongs_to_a_phase_in_its_order(verb: object) -> None:
    found = yaml.safe_load((PROJECT / "playbooks" / verb.playbook()).read_text())  # type: ignore[attr-defined]
    tags = set(verb.tags)  # type: ignore[attr-defined]
    plays = [play["name"] for play in found if not tags or tags & set(play["tags"])]
    assert plays == [play for phase in verb.phases for play in phase.plays]  # type: ignore[attr-defined]


def told(*steps: tuple[str, StepState, float]) -> list[tuple[str, str, float | None, int]]:
    is_over = all(state is not RUNNING for _, state, _ in steps) and bool(steps) and steps[-1][1] is FAILED
    found = view(REGISTERING, [Told(*one) for one in steps], 100.0, is_over=is_over)
    return [(one.name, one.state.value, one.seconds, one.not_needed) for one in found]


def test_they_go_by_one_after_the_other() -> None:
    assert told()[0] == ("reach", "running", None, 0)
    found = told(("reach", OK, 101.0), ("check", OK, 102.5), ("check", SKIPPED, 103.0), ("admit", RUNNING, 104.0))
    assert found == [
        ("reach", "done", 1.0, 0),
        ("check", "done", 2.0, 1),
        ("admit", "running", None, 0),
        ("install", "waiting", None, 0),
        ("heartbeat", "waiting", None, 0),
        ("measure", "waiting", None, 0),
    ]


def test_a_failure_ends_them_and_what_follows_waits() -> None:
    found = told(("reach", OK, 101.0), ("check", FAILED, 102.0))
    assert found[:3] == [("reach", "done", 1.0, 0), ("check", "failed", 1.0, 0), ("admit", "waiting", None, 0)]


def test_a_phase_without_anything_to_do_was_not_needed() -> None:
    found = view(
        REGISTERING, [Told("reach", OK, 1.0), Told("check", SKIPPED, 2.0), Told("admit", OK, 3.0)], 0.0, is_over=True
    )
    assert [one.state.value for one in found] == ["done", "not needed", "done", "waiting", "waiting", "waiting"]


def test_steps_of_a_release_without_phases_have_none() -> None:
    assert view(REGISTERING, [Told("", OK, 1.0)], 0.0, is_over=True) == ()
    assert view((), [Told("", OK, 1.0)], 0.0, is_over=True) == ()
