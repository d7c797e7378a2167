"""The states of jobs and attempts, and what may follow what."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class JobState(enum.StrEnum):
    QUEUED = "queued"
    PLACED = "placed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptState(enum.StrEnum):
    PLACED = "placed"
    CLAIMED = "claimed"
    RUNNING = "running"
    ENDED = "ended"


LIVE_JOBS: Final = (JobState.PLACED, JobState.RUNNING)
"""An attempt of the job is under way."""
OPEN_JOBS: Final = (JobState.QUEUED, *LIVE_JOBS)
"""The job has no outcome yet."""
ENDED_JOBS: Final = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
LIVE_ATTEMPTS: Final = (AttemptState.PLACED, AttemptState.CLAIMED, AttemptState.RUNNING)

JOB_TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset({JobState.PLACED, JobState.CANCELLED}),
    # An attempt may end, well or not, before the word of its start: then `running` is left out.
    JobState.PLACED: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

ATTEMPT_TRANSITIONS: Final[Mapping[AttemptState, frozenset[AttemptState]]] = {
    AttemptState.PLACED: frozenset({AttemptState.CLAIMED, AttemptState.RUNNING, AttemptState.ENDED}),
    AttemptState.CLAIMED: frozenset({AttemptState.RUNNING, AttemptState.ENDED}),
    AttemptState.RUNNING: frozenset({AttemptState.ENDED}),
    AttemptState.ENDED: frozenset(),
}
