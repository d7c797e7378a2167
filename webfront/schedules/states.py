"""The states of schedules, what may follow what, and what may become of a due time."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class ScheduleState(enum.StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    """It is due no more: its one time has come."""


class WhenRunning(enum.StrEnum):
    """What to do at a time at which an earlier job of the schedule has not ended."""

    SKIP = "skip"
    """Make none: this time passes."""
    QUEUE = "queue"
    """Make one all the same: it waits for a node like any other job."""


class TickOutcome(enum.StrEnum):
    SUBMITTED = "submitted"
    """A job was made."""
    SKIPPED = "skipped"
    """An earlier job of the schedule had not ended."""
    REFUSED = "refused"
    """No job could be made."""
    MISSED = "missed"
    """The platform came to it too late."""


TRANSITIONS: Final[Mapping[ScheduleState, frozenset[ScheduleState]]] = {
    ScheduleState.ACTIVE: frozenset({ScheduleState.PAUSED, ScheduleState.FINISHED}),
    ScheduleState.PAUSED: frozenset({ScheduleState.ACTIVE}),
    # By giving it another time.
    ScheduleState.FINISHED: frozenset({ScheduleState.ACTIVE}),
}
