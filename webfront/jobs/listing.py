"""Lists of jobs, newest first, page by page, in a time that does not grow with the jobs there are.

First the ids are picked, by an index that has them in their order and holds nothing that is not wanted; then those few
rows are read. One query for both would leave it to the database where to begin, and it may well begin with all jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.database.rows import rows
from webfront.errors import InvalidInput
from webfront.jobs.states import JobState
from webfront.jobs.views import JobView
from wire.messages import Cause

MOST_JOBS: Final = 200
_VERSIONS_AT_ONCE: Final = 200
"""SQLite joins at most 500 queries to one."""

_VERSIONS: Final = "SELECT v.id FROM app_version v JOIN app a ON a.id = v.app_id WHERE a.name = ?"
_ROWS: Final = (
    "SELECT j.id, a.name AS app, v.hash AS version, u.name AS `user`, j.state, j.cause, j.message, j.waiting_reason, "
    "j.cancel_requested, j.submitted_at, j.finished_at, j.parameters, j.input, j.priority, j.schedule, "
    "s.name AS schedule_name FROM job j "
    "JOIN app_version v ON v.id = j.app_version_id JOIN app a ON a.id = v.app_id JOIN `user` u ON u.id = j.user_id "
    "LEFT JOIN schedule s ON s.id = j.schedule WHERE j.id IN (?*) ORDER BY j.id DESC"
)


class _IdRow(NamedTuple):
    id: str


class _VersionRow(NamedTuple):
    id: int


class _JobRow(NamedTuple):
    id: str
    app: str
    version: str
    user: str
    state: str
    cause: str | None
    message: str
    waiting_reason: str
    cancel_requested: int
    submitted_at: float
    finished_at: float | None
    parameters: str
    input: str | None
    priority: int
    schedule: str | None
    schedule_name: str | None


def list_jobs(
    account: Account,
    *,
    state: str | None = None,
    app: str | None = None,
    schedule: str | None = None,
    limit: int = 50,
    before: str | None = None,
) -> tuple[JobView, ...]:
    """Jobs, newest first: one's own, an administrator's all. `before` is the id of the last one of a page."""
    limit = max(1, min(limit, MOST_JOBS))
    conditions: list[tuple[str, Any]] = []
    if not may(account, Act.SEE_EVERY_JOB):
        conditions.append(("user_id = ?", account.id))
    if state:
        if state not in set(JobState):
            raise InvalidInput(f"There is no job state {state}; there are: {', '.join(JobState)}.")
        conditions.append(("state = ?", state))
    if schedule:
        conditions.append(("schedule = ?", schedule))
    if before:
        conditions.append(("id < ?", before))
    ids = _of_app(app, conditions, limit) if app else _newest(conditions, limit)
    return tuple(_view(row) for row in rows(_JobRow, _ROWS, ids)) if ids else ()


def _newest(conditions: Sequence[tuple[str, Any]], limit: int) -> list[str]:
    sql, values = _pick(conditions, limit)
    return [row.id for row in rows(_IdRow, sql, *values)]


def _of_app(app: str, conditions: Sequence[tuple[str, Any]], limit: int) -> list[str]:
    """The newest of each version, and of those the newest: an index has the order for one version at a time."""
    versions = [row.id for row in rows(_VersionRow, _VERSIONS, app)]
    found: list[str] = []
    for begin in range(0, len(versions), _VERSIONS_AT_ONCE):
        parts, values = [], []
        for number, version in enumerate(versions[begin : begin + _VERSIONS_AT_ONCE]):
            sql, its_values = _pick([("app_version_id = ?", version), *conditions], limit)
            parts.append(f"SELECT id FROM ({sql}) of_{number}")  # noqa: S608  constant names, values as parameters
            values += its_values
        union = f"{' UNION ALL '.join(parts)} ORDER BY id DESC LIMIT ?"
        found += [row.id for row in rows(_IdRow, union, *values, limit)]
    return sorted(found, reverse=True)[:limit]


def _pick(conditions: Sequence[tuple[str, Any]], limit: int) -> tuple[str, list[Any]]:
    where = f" WHERE {' AND '.join(sql for sql, _ in conditions)}" if conditions else ""
    sql = f"SELECT id FROM job{where} ORDER BY id DESC LIMIT ?"  # noqa: S608  constant conditions, values as parameters
    return sql, [*(value for _, value in conditions), limit]


def _view(row: _JobRow) -> JobView:
    return JobView(
        id=row.id,
        app=row.app,
        version=row.version,
        user=row.user,
        state=JobState(row.state),
        cause=None if row.cause is None else Cause(row.cause),
        message=row.message,
        waiting_reason=row.waiting_reason,
        cancel_requested=bool(row.cancel_requested),
        submitted_at=row.submitted_at,
        finished_at=row.finished_at,
        parameters=msgspec.json.decode(row.parameters),
        input=row.input.rpartition("/")[2] if row.input else None,
        priority=row.priority,
        schedule=row.schedule,
        schedule_name=row.schedule_name,
    )
