"""The jobs and newest attempts that one transaction works on: loaded together, changed in memory, written together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from webfront.database.models import LARGEST_NUMBER
from webfront.database.rows import locked, many, rows
from webfront.jobs.end_facts import AttemptEnd, JobEnd, record_ends
from webfront.jobs.lifecycle import AttemptRecord, JobRecord
from webfront.jobs.states import AttemptState, JobState
from webfront.scheduling.joblog import Coverage
from webfront.scheduling.placement import Placement, kept_decision, kept_ranking
from webfront.scheduling.versions import Versions
from wire.messages import LogLines

JOB_COLUMNS: Final = (
    "j.id, j.app_version_id, j.user_id, j.state, j.attempts, j.cancel_requested, j.excluded_nodes, j.cause, j.message, "
    "j.waiting_reason, j.finished_at"
)
_LOAD: Final = (
    f"SELECT {JOB_COLUMNS}, a.id AS attempt_id, a.number, a.node, a.state AS attempt_state, "  # noqa: S608  constant names, values as parameters
    "a.placed_at, a.claimed_at, a.preparing, a.started_at FROM job j "
    "LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempts WHERE j.id IN (?*)"
)
_EARLIER: Final = (
    "SELECT a.job_id, a.node, COALESCE(a.cause, '') AS cause, a.refusal, a.node_fell "
    "FROM attempt a JOIN job j ON j.id = a.job_id "
    "WHERE a.job_id IN (?*) AND a.number < j.attempts ORDER BY a.job_id, a.number"
)
_UPDATE_JOB: Final = (
    "UPDATE job SET state = ?, attempts = ?, excluded_nodes = ?, cause = ?, message = ?, waiting_reason = ?, "
    "finished_at = ? WHERE id = ?"
)
_INSERT_ATTEMPT: Final = (
    "INSERT INTO attempt (job_id, number, node, state, placement, placed_at, preparing, message, outputs) "
    "VALUES (?, ?, ?, ?, ?, ?, '', '', '[]')"
)
_INSERT_RANKING: Final = "INSERT INTO ranking (job_id, number, nodes) VALUES (?, ?, ?)"
_UPDATE_ATTEMPT: Final = (
    "UPDATE attempt SET state = ?, claimed_at = ?, preparing = ?, started_at = ? WHERE job_id = ? AND number = ?"
)
_END_ATTEMPT: Final = (
    "UPDATE attempt SET state = ?, claimed_at = ?, preparing = ?, started_at = ?, ended_at = ?, cause = ?, "
    "message = ?, exit_code = ?, outputs = ?, log_lines = ?, `usage` = ?, refusal = ?, node_fell = ? "
    "WHERE job_id = ? AND number = ?"
)
# Chunks before pieces, as whoever moves them has it: so neither misses what the other is just doing.
_OUTDATE: Final = (
    "DELETE FROM log_chunk WHERE attempt_id = ? AND `first` >= ?",
    "DELETE FROM log_piece WHERE attempt_id = ? AND `first` >= ?",
)
_SHORTEN: Final = (
    "UPDATE log_chunk SET `count` = ? - `first` WHERE attempt_id = ? AND `first` < ? AND `first` + `count` > ?",
    "UPDATE log_piece SET `count` = ? - `first` WHERE attempt_id = ? AND `first` < ? AND `first` + `count` > ?",
)
_STAGE: Final = "UPDATE attempt SET stage = ? WHERE job_id = ? AND number = ?"
_INSERT_LINES: Final = (
    "INSERT INTO log_chunk (attempt_id, `first`, `count`, at, text, glimpse) VALUES (?, ?, ?, ?, ?, ?)"
)
_PUBLISHED: Final = "UPDATE attempt SET published_at = ?, orders = orders + 1 WHERE job_id = ? AND number = ?"

_json = msgspec.json.Encoder()


class QueuedRow(NamedTuple):
    """`JOB_COLUMNS`, and what an order needs beside them."""

    id: str
    app_version_id: int
    user_id: int
    state: str
    attempts: int
    cancel_requested: int
    excluded_nodes: str
    cause: str | None
    message: str
    waiting_reason: str
    finished_at: float | None
    input: str | None
    parameters: str


class _LoadedRow(NamedTuple):
    """`JOB_COLUMNS`, and the newest attempt, where there is one."""

    id: str
    app_version_id: int
    user_id: int
    state: str
    attempts: int
    cancel_requested: int
    excluded_nodes: str
    cause: str | None
    message: str
    waiting_reason: str
    finished_at: float | None
    attempt_id: int | None
    number: int
    node: str
    attempt_state: str
    placed_at: float
    claimed_at: float | None
    preparing: str
    started_at: float | None


class Earlier(NamedTuple):
    """An earlier attempt of a job, ended."""

    job_id: str
    node: str
    cause: str
    refusal: str
    node_fell: int


@dataclasses.dataclass(frozen=True, slots=True)
class OrderRow:
    """What an order to a node needs from the job's row."""

    job: str
    attempt: int
    node: str
    app_version_id: int
    input: str | None
    parameters: dict[str, str]


class Ledger:
    """One transaction's records. `flush` writes what changed; nothing is written before."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self.jobs: dict[str, JobRecord] = {}
        self.attempts: dict[str, AttemptRecord] = {}
        """The newest attempt of each job, by the job's id."""
        self.earlier: dict[str, list[Earlier]] = {}
        self.orders: list[OrderRow] = []
        """Placed in this transaction, to be published once it is committed."""
        self._new: list[tuple[AttemptRecord, Placement]] = []
        self._lines: list[tuple[int, int, int, float, str, bool]] = []
        self._outdated: list[tuple[int, int]] = []
        self._published: list[tuple[float, str, int]] = []

    def load(self, job_ids: Iterable[str], *, with_earlier: Iterable[str] = ()) -> None:
        """Load these jobs with their newest attempts; for some, also what became of their earlier ones."""
        wanted = {one for one in job_ids if one not in self.jobs}
        if wanted:
            for row in rows(_LoadedRow, locked(_LOAD), list(wanted)):
                self.jobs[row.id] = job_record(row)
                if row.attempt_id is not None:
                    self.attempts[row.id] = AttemptRecord(
                        pk=row.attempt_id,
                        job_id=row.id,
                        number=row.number,
                        node=row.node,
                        state=AttemptState(row.attempt_state),
                        placed_at=row.placed_at,
                        claimed_at=row.claimed_at,
                        preparing=row.preparing,
                        started_at=row.started_at,
                    )
        asked = [one for one in with_earlier if one in self.jobs and one not in self.earlier]
        self.earlier.update((one, []) for one in asked)
        retried = [one for one in asked if self.jobs[one].attempts > 1]
        if retried:
            for earlier in rows(Earlier, _EARLIER, retried):
                self.earlier[earlier.job_id].append(earlier)

    def add(self, job: JobRecord, attempt: AttemptRecord, placement: Placement) -> None:
        """A new attempt with the decision that placed it."""
        self.jobs[job.id] = job
        self.attempts[job.id] = attempt
        self._new.append((attempt, placement))

    def add_lines(self, attempt_pk: int, said: LogLines, at: float, coverage: Coverage) -> None:
        """Lines of an attempt's log, those left out that are there already."""
        if said.anew:
            self._outdated.append((attempt_pk, said.first))
            self._lines = [one for one in self._lines if one[0] != attempt_pk or one[1] < said.first]
        self._lines += [
            (attempt_pk, *chunk[:2], at, chunk.text, said.glimpse) for chunk in coverage.chunks(attempt_pk, said)
        ]

    def note_published(self, job_id: str, number: int, at: float) -> None:
        """The broker has confirmed the attempt's order."""
        self._published.append((at, job_id, number))

    def flush(self) -> None:
        """Write everything that changed, a statement for each kind of change."""
        many(
            _INSERT_ATTEMPT,
            [
                (a.job_id, a.number, a.node, a.state.value, kept_decision(placement), a.placed_at)
                for a, placement in self._new
            ],
        )
        many(
            _INSERT_RANKING,
            [(a.job_id, a.number, kept_ranking(placement)) for a, placement in self._new],
        )
        changed = [one for one in self.attempts.values() if one.changed]
        many(
            _UPDATE_ATTEMPT,
            [
                (a.state.value, a.claimed_at, a.preparing, a.started_at, a.job_id, a.number)
                for a in changed
                if a.state is not AttemptState.ENDED
            ],
        )
        many(_END_ATTEMPT, [_end_values(a) for a in changed if a.state is AttemptState.ENDED])
        many(_STAGE, [(_json.encode(a.stage).decode(), a.job_id, a.number) for a in changed if a.stage is not None])
        many(_UPDATE_JOB, [_job_values(j) for j in self.jobs.values() if j.changed])
        for statement in _OUTDATE:
            many(statement, self._outdated)
        for statement in _SHORTEN:
            many(statement, [(first, attempt, first, first) for attempt, first in self._outdated])
        many(_INSERT_LINES, self._lines)
        many(_PUBLISHED, self._published)
        record_ends(
            [self._attempt_end(a) for a in changed if a.state is AttemptState.ENDED],
            [self._job_end(j, j.finished_at) for j in self.jobs.values() if j.changed and j.finished_at is not None],
        )

    def _attempt_end(self, attempt: AttemptRecord) -> AttemptEnd:
        job = self.jobs[attempt.job_id]
        at = attempt.ended_at or attempt.placed_at
        return AttemptEnd(job.id, job.user_id, self._app(job), attempt.number, attempt.node, attempt.cause or "", at)

    def _job_end(self, job: JobRecord, at: float) -> JobEnd:
        return JobEnd(job.id, job.user_id, self._app(job), job.state, job.cause or "", at)

    def _app(self, job: JobRecord) -> str:
        return self._versions[job.app_version_id].ref.name


def job_record(row: QueuedRow | _LoadedRow) -> JobRecord:
    """The record of a job's row."""
    return JobRecord(
        id=row.id,
        app_version_id=row.app_version_id,
        user_id=row.user_id,
        state=JobState(row.state),
        attempts=row.attempts,
        cancel_requested=bool(row.cancel_requested),
        excluded_nodes=msgspec.json.decode(row.excluded_nodes) if row.excluded_nodes != "[]" else [],
        cause=row.cause,
        message=row.message,
        waiting_reason=row.waiting_reason,
        finished_at=row.finished_at,
    )


def _job_values(job: JobRecord) -> tuple[Any, ...]:
    return (
        job.state.value,
        job.attempts,
        _json.encode(job.excluded_nodes).decode() if job.excluded_nodes else "[]",
        job.cause,
        job.message,
        job.waiting_reason,
        job.finished_at,
        job.id,
    )


def _whole(number: int | None) -> int | None:
    """A node's number as the database can hold it: an outcome must not be lost for one that is absurd."""
    return None if number is None else max(-LARGEST_NUMBER, min(number, LARGEST_NUMBER))


def _end_values(attempt: AttemptRecord) -> tuple[Any, ...]:
    return (
        attempt.state.value,
        attempt.claimed_at,
        attempt.preparing,
        attempt.started_at,
        attempt.ended_at,
        attempt.cause,
        attempt.message,
        _whole(attempt.exit_code),
        _json.encode(attempt.outputs).decode() if attempt.outputs else "[]",
        _whole(attempt.log_lines),
        None if attempt.usage is None else _json.encode(attempt.usage).decode(),
        attempt.refusal,
        attempt.node_fell,
        attempt.job_id,
        attempt.number,
    )
