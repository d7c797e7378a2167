"""Lists of jobs, newest first, page by page, in a time that does not grow with the jobs there are.

First the ids are picked, by an index that has them in their order and holds nothing that is not wanted; then those few
rows are read. One query for both would leave it to the database where to begin, and it may well begin with all jobs.
"""

from __future__ import annotations

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

_INDEXES: Final = (("schedule",), ("user_id", "app_version_id"), ("user_id", "state"), ("user_id",), ())
"""The columns before the id, the preferred first. Where the user does not matter, each is there without it too."""

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
    if state and state not in set(JobState):
        raise InvalidInput(f"There is no job state {state}; there are: {', '.join(JobState)}.")
    user = None if may(account, Act.SEE_EVERY_JOB) else account.id
    wanted = _Wanted(user, schedule or None, state or None, before or None, limit)
    ids = _of_app(app, wanted) if app else _newest(wanted)
    return tuple(_view(row) for row in rows(_JobRow, _ROWS, ids)) if ids else ()


class _Wanted(NamedTuple):
    user: int | None
    schedule: str | None
    state: str | None
    before: str | None
    limit: int


def _newest(wanted: _Wanted) -> list[str]:
    sql, values = _pick(wanted)
    return [row.id for row in rows(_IdRow, sql, *values)]


def _of_app(app: str, wanted: _Wanted) -> list[str]:
    """The newest of each version, and of those the newest: an index has the order for one version at a time."""
    versions = [row.id for row in rows(_VersionRow, _VERSIONS, app)]
    found: list[str] = []
    for begin in range(0, len(versions), _VERSIONS_AT_ONCE):
        parts, values = [], []
        for number, version in enumerate(versions[begin : begin + _VERSIONS_AT_ONCE]):
            sql, its_values = _pick(wanted, version)
            parts.append(f"SELECT id FROM ({sql}) of_{number}")  # noqa: S608  constant names, values as parameters
            values += its_values
        union = f"{' UNION ALL '.join(parts)} ORDER BY id DESC LIMIT ?"
        found += [row.id for row in rows(_IdRow, union, *values, wanted.limit)]
    return sorted(found, reverse=True)[: wanted.limit]


def _pick(wanted: _Wanted, version: int | None = None) -> tuple[str, list[Any]]:
    """The query of one index's entries, in its order, and its values.

    `IN (?, 0)` is `= ?`: nothing has 0. Written so, MariaDB has to begin where the page begins. With `=` it may hold it
    for as good to read the entries from the newest on, and to pass over all those that come before the page.
    """
    given: dict[str, tuple[Any, str]] = {}
    for column, value, nothing in (
        ("schedule", wanted.schedule, "''"),
        ("user_id", wanted.user, "0"),
        ("app_version_id", version, "0"),
        ("state", wanted.state, "''"),
    ):
        if value is not None:
            given[column] = (value, nothing)
    index = next(columns for columns in _INDEXES if not columns or columns[-1] in given)
    conditions, order, values = [], [], []
    for column in index:
        if column in given:
            value, nothing = given.pop(column)
            conditions.append(f"{column} IN (?, {nothing})")
            order.append(f"{column} DESC")
            values.append(value)
    for column, (value, nothing) in given.items():
        # No index has this too: each job of the index is looked at, newest first, rather than all of another sorted.
        conditions.append(f"COALESCE({column}, {nothing}) = ?")
        values.append(value)
    if wanted.before is not None:
        conditions.append("id < ?")
        values.append(wanted.before)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT id FROM job{where} ORDER BY {', '.join([*order, 'id DESC'])} LIMIT ?"  # noqa: S608  constant names
    return sql, [*values, wanted.limit]


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
