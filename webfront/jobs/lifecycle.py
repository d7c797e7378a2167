"""Every change of a job or an attempt: the only functions that make one.

They change records (`JobRecord`, `AttemptRecord`): rows in memory, which `webfront.scheduling.ledger` loads and writes
back many at a time, within one transaction. Only the scheduler does that. The web front changes a job's state only by
`request_cancel`, a conditional update that holds against a scheduler working at the same time.

Fencing: the number of a job's newest attempt is its token. What an older attempt says, or another node than the
attempt's, or what comes after the end, changes nothing, and the function returns False. So does a repetition.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.database.connection import transaction
from webfront.database.models import Job
from webfront.database.rows import rows
from webfront.jobs.end_facts import JobEnd, record_ends
from webfront.jobs.endings import NODES_FAULT, Anew, Ending, Finish, Past, Retry, Tried, after, never_ran
from webfront.jobs.states import (
    ATTEMPT_TRANSITIONS,
    JOB_TRANSITIONS,
    OPEN_JOBS,
    AttemptState,
    JobState,
)
from webfront.jobs.views import Stage
from wire.messages import Cause

REASON_LENGTH: Final = 500
"""How many characters `waiting_reason` holds."""


STAGE_LENGTH: Final = 200
"""How many characters of each of a stage's words are kept."""


class IllegalTransitionError(RuntimeError):
    """A change that the tables above do not allow: a fault in the caller."""


_WHOSE: Final = (
    "SELECT j.user_id, a.name AS app FROM job j JOIN app_version v ON v.id = j.app_version_id "
    "JOIN app a ON a.id = v.app_id WHERE j.id = ?"
)


class _Whose(NamedTuple):
    user_id: int
    app: str


@dataclasses.dataclass(slots=True)
class JobRecord:
    """A job's row, as far as its life needs it. `changed` says that it differs from the row."""

    id: str
    app_version_id: int
    user_id: int
    state: JobState
    attempts: int
    cancel_requested: bool
    excluded_nodes: list[str]
    cause: str | None = None
    message: str = ""
    waiting_reason: str = ""
    finished_at: float | None = None
    changed: bool = False


@dataclasses.dataclass(slots=True)
class AttemptRecord:
    """An attempt's row. `pk` is None until it has been inserted."""

    pk: int | None
    job_id: str
    number: int
    node: str
    state: AttemptState
    placed_at: float
    claimed_at: float | None = None
    preparing: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    cause: str | None = None
    message: str = ""
    exit_code: int | None = None
    outputs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    log_lines: int | None = None
    usage: dict[str, Any] | None = None
    refusal: str = ""
    node_fell: bool = False
    stage: Stage | None = None
    """What the node has told now; the row keeps it when nothing new is told."""
    changed: bool = False


def place(job: JobRecord, node: str, now: float) -> AttemptRecord | None:
    """Give a queued job its next attempt, on `node`. None when it is not queued or no longer wanted."""
    if job.state is not JobState.QUEUED or job.cancel_requested:
        return None
    _move_job(job, JobState.PLACED)
    job.attempts += 1
    job.waiting_reason = ""
    return AttemptRecord(None, job.id, job.attempts, node, AttemptState.PLACED, placed_at=now)


def claim(job: JobRecord, attempt: AttemptRecord, node: str, at: float, now: float) -> bool:
    """The node holds the attempt in its journal, since `at` by its own clock."""
    if not _counts(job, attempt, node) or attempt.state is not AttemptState.PLACED:
        return False
    _move_attempt(attempt, AttemptState.CLAIMED)
    attempt.claimed_at = _within(attempt.placed_at, at, now)
    return True


def prepare(job: JobRecord, attempt: AttemptRecord, node: str, stage: Stage, now: float) -> bool:
    """The node is at this stage with the attempt, by its own clock: it makes it ready, or stores what it has left."""
    if not _counts(job, attempt, node):
        return False
    since = _within(attempt.placed_at, stage.since, now)
    attempt.stage = Stage(
        what=stage.what[:STAGE_LENGTH],
        since=since,
        detail=stage.detail[:STAGE_LENGTH],
        until=None if stage.until is None else since + (stage.until - stage.since),
    )
    if attempt.state is not AttemptState.RUNNING:
        attempt.preparing = attempt.stage.what
    attempt.changed = True
    return True


def start(job: JobRecord, attempt: AttemptRecord, node: str, at: float, now: float) -> bool:
    """The app's process runs."""
    if not _counts(job, attempt, node) or attempt.state is AttemptState.RUNNING:
        return False
    _move_attempt(attempt, AttemptState.RUNNING)
    attempt.started_at = _within(attempt.placed_at, at, now)
    if attempt.claimed_at is None:
        attempt.claimed_at = attempt.started_at
    _move_job(job, JobState.RUNNING)
    return True


def end(
    job: JobRecord,
    attempt: AttemptRecord,
    node: str,
    ending: Ending,
    *,
    kind: str,
    retries: Mapping[str, int],
    earlier: Iterable[Past],
    now: float,
) -> bool:
    """End the attempt, and do with the job what that leads to for its kind of work (`webfront.jobs.endings`).

    `retries` is the manifest's, `earlier` the job's earlier attempts. A node that lost or rejected the attempt is
    excluded from the job's next one, unless it could have taken none at all: then it is set aside for every job.
    """
    if not _counts(job, attempt, node):
        return False
    _move_attempt(attempt, AttemptState.ENDED)
    attempt.ended_at = _within(attempt.placed_at, ending.at, now)
    attempt.cause = ending.cause.value
    attempt.message = ending.words
    attempt.exit_code = ending.exit_code
    attempt.outputs = list(ending.outputs)
    attempt.log_lines = ending.log_lines
    attempt.usage = ending.usage
    attempt.refusal = ending.refusal
    attempt.node_fell = ending.node_fell
    tried = Tried(attempt.number, node, job.cancel_requested, retries, tuple(earlier))
    if ending.cause in NODES_FAULT and node not in job.excluded_nodes and not never_ran(ending, tried):
        job.excluded_nodes = [*job.excluded_nodes, node]
    match after(kind, ending, tried):
        case Finish(state, cause, message):
            _finish(job, state, cause, message, now)
        case Retry(reason):
            _queue(job, reason)
        case Anew(reason):
            job.excluded_nodes = []
            _queue(job, reason)
    return True


def cancel_queued(job: JobRecord, now: float) -> bool:
    """End a queued job that is no longer wanted."""
    if job.state is not JobState.QUEUED or not job.cancel_requested:
        return False
    _finish(job, JobState.CANCELLED, Cause.CANCELLED, "cancelled before it was placed", now)
    return True


def request_cancel(job_id: str, now: float) -> bool:
    """A user no longer wants the job: a queued one is cancelled at once, the others as soon as their node has ended it.

    False when there is nothing to cancel: unknown, or over. In a transaction of its own, or the caller's.
    """
    with transaction():
        # The first update holds the row, so that the scheduler's placing cannot come between the two.
        wanted = Job.update(cancel_requested=True).where(Job.id == job_id, Job.state.in_(OPEN_JOBS)).execute()
        if wanted:
            deeds.tell(Kind.JOB_CANCEL, job=job_id)
        ended = Job.update(
            state=JobState.CANCELLED,
            cause=Cause.CANCELLED.value,
            message="cancelled before it was placed",
            waiting_reason="",
            finished_at=now,
        ).where(Job.id == job_id, Job.state == JobState.QUEUED, Job.cancel_requested)
        if ended.execute():
            (whose,) = rows(_Whose, _WHOSE, job_id)
            record_ends([], [JobEnd(job_id, *whose, JobState.CANCELLED, Cause.CANCELLED.value, now)])
    return bool(wanted)


def _counts(job: JobRecord, attempt: AttemptRecord, node: str) -> bool:
    return attempt.number == job.attempts and attempt.node == node and attempt.state is not AttemptState.ENDED


def _move_job(job: JobRecord, to: JobState) -> None:
    if to not in JOB_TRANSITIONS[job.state]:
        raise IllegalTransitionError(f"job {job.id} cannot go from {job.state} to {to}")
    job.state = to
    job.changed = True


def _move_attempt(attempt: AttemptRecord, to: AttemptState) -> None:
    if to not in ATTEMPT_TRANSITIONS[attempt.state]:
        raise IllegalTransitionError(f"attempt {attempt.number} of {attempt.job_id} cannot go to {to}")
    attempt.state = to
    attempt.changed = True


def _queue(job: JobRecord, reason: str) -> None:
    _move_job(job, JobState.QUEUED)
    job.waiting_reason = reason[:REASON_LENGTH]


def _finish(job: JobRecord, to: JobState, cause: Cause, message: str, now: float) -> None:
    _move_job(job, to)
    job.cause = cause.value
    job.message = message
    job.waiting_reason = ""
    job.finished_at = now


def _within(placed_at: float, at: float, now: float) -> float:
    """A node's time, held between the placing and now: its clock may be off, the order of the steps is not."""
    return max(placed_at, min(at, now))
