"""The states of plays and of their steps."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class PlayState(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    """By a person. The table has it as `failed` with `stopped_by`: the release before this knows no such state."""


PLAY_TRANSITIONS: Final[Mapping[PlayState, frozenset[PlayState]]] = {
    PlayState.QUEUED: frozenset({PlayState.RUNNING, PlayState.STOPPED}),
    PlayState.RUNNING: frozenset({PlayState.SUCCEEDED, PlayState.FAILED, PlayState.STOPPED}),
    PlayState.SUCCEEDED: frozenset(),
    PlayState.FAILED: frozenset(),
    PlayState.STOPPED: frozenset(),
}

UNFINISHED_PLAYS: Final = (PlayState.QUEUED, PlayState.RUNNING)
"""At most one play of a node is in one of these."""


class StepState(enum.StrEnum):
    """How a step of a play stands."""

    RUNNING = "running"
    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"
