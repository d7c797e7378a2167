"""The phases of plays: what a person follows while the steps go by. Pure.

A phase is one or more of its playbook's plays, by their names, one after the other; the steps that the platform takes
before the playbook belong to the first. This table is the one truth; a test holds it to the playbooks.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from webfront.plays.states import StepState


@dataclass(frozen=True)
class Phase:
    name: str
    label: str
    plays: tuple[str, ...]


REACH: Final = Phase("reach", "Reach", ("Reach the machine",))
CHECK: Final = Phase("check", "Check", ("Check the machine before changing anything",))
REGISTERING: Final = (
    REACH,
    CHECK,
    Phase(
        "admit",
        "Admit",
        ("Put Python on the machine", "Give the platform access to the machine", "Admit the node to the broker"),
    ),
    Phase("install", "Install", ("Let the machine mount the share", "Install and start the agent")),
    Phase("heartbeat", "First heartbeat", ("Wait for the node to report",)),
    Phase("measure", "Measure", ("Measure the node",)),
)
TESTING: Final = (REACH, CHECK)


class PhaseState(enum.StrEnum):
    """How a phase of a play stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    NOT_NEEDED = "not needed"
    """Each of its steps found nothing to do."""
    FAILED = "failed"


class PhaseView(msgspec.Struct, frozen=True):
    """A phase as far as the play has come."""

    name: str
    label: str
    state: PhaseState
    began_at: float | None
    """When the phase before it ended; None before that."""
    seconds: float | None
    """How long it took; None until it has ended."""
    steps: int
    not_needed: int
    """So many of the steps had nothing to do."""


class Told(msgspec.Struct, frozen=True):
    """What of a step counts here."""

    phase: str
    state: StepState
    at: float


def view(
    phases: Sequence[Phase], steps: Iterable[Told], began_at: float | None, *, is_over: bool
) -> tuple[PhaseView, ...]:
    """The phases of a play that began then, from its steps in order. Empty for steps of a release without phases."""
    told = list(steps)
    known = [one.name for one in phases]
    if not phases or any(one.phase not in known for one in told):
        return ()
    reached = max((known.index(one.phase) for one in told), default=0 if began_at is not None and not is_over else -1)
    found = []
    since = began_at
    for place, phase in enumerate(phases):
        own = [one for one in told if one.phase == phase.name]
        state = _state(own, is_last=place == reached and not is_over, is_past=place <= reached)
        ended = max((one.at for one in own), default=since)
        has_ended = place <= reached and state is not PhaseState.RUNNING
        found.append(
            PhaseView(
                name=phase.name,
                label=phase.label,
                state=state,
                began_at=since if place <= reached else None,
                seconds=round(ended - since, 2) if has_ended and ended is not None and since is not None else None,
                steps=len(own),
                not_needed=sum(one.state is StepState.SKIPPED for one in own),
            )
        )
        since = ended
    return tuple(found)


def _state(own: list[Told], *, is_last: bool, is_past: bool) -> PhaseState:
    states = {one.state for one in own}
    if not is_past:
        return PhaseState.WAITING
    if StepState.FAILED in states:
        return PhaseState.FAILED
    if is_last or StepState.RUNNING in states:
        return PhaseState.RUNNING
    return PhaseState.NOT_NEEDED if states <= {StepState.SKIPPED} else PhaseState.DONE
