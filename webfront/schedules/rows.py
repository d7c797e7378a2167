"""Schedules' rows: found for those who may see them, held, made into views; and the jobs and ticks they lead to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.database.models import Schedule, ScheduleTick, User
from webfront.database.rows import locked, rows, value
from webfront.errors import NotFound
from webfront.jobs.identifiers import PATTERN
from webfront.jobs.states import OPEN_JOBS
from webfront.schedules.states import ScheduleState, TickOutcome, WhenRunning
from webfront.schedules.times import first_times, times_of
from webfront.schedules.views import ScheduleView, TickView
from webfront.schedules.words import moment_in_words, times_in_words

MOST_OPEN: Final = 20
"""A schedule has at most so many jobs that have not ended: behind one that is stuck, no endless queue is to grow."""
KEPT_TICKS: Final = 200
SHOWN_TIMES: Final = 5
_SHOWN_TICKS: Final = 20

_HOLD: Final = "SELECT state, next_at, revision FROM schedule WHERE id = ?"
_OPEN: Final = "SELECT COUNT(*) FROM job WHERE schedule = ? AND state IN (?*)"
_HAD: Final = "SELECT id FROM schedule_tick WHERE schedule_id = ? AND due_at = ?"
_LAST: Final = "SELECT MAX(id) AS id FROM schedule_tick WHERE schedule_id IN (?*) GROUP BY schedule_id"
_OLD: Final = "SELECT id FROM schedule_tick WHERE schedule_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?"


class Standing(NamedTuple):
    """What tells whether a schedule is still the one that was looked at."""

    state: str
    next_at: float | None
    revision: int


class _Id(NamedTuple):
    id: int


def hold(schedule_id: str) -> Standing | None:
    """Hold the row until the transaction ends. None when it is gone."""
    found = rows(Standing, locked(_HOLD), schedule_id)
    return found[0] if found else None


def standing(row: Schedule) -> Standing:
    return Standing(row.state, row.next_at, row.revision)


def open_jobs(schedule_id: str) -> int:
    """How many of its jobs have not ended."""
    return int(value(_OPEN, schedule_id, list(OPEN_JOBS)))


def add_tick(schedule_id: str, due_at: float, at: float, outcome: TickOutcome, **more: Any) -> None:
    """Write what became of a due time, within the caller's transaction, and forget what is long ago."""
    ScheduleTick.create(schedule=schedule_id, due_at=due_at, at=at, outcome=outcome.value, **more)
    if (old := value(_OLD, schedule_id, KEPT_TICKS)) is not None:
        ScheduleTick.delete().where(ScheduleTick.schedule == schedule_id, ScheduleTick.id <= old).execute()


def had_tick(schedule_id: str, due_at: float) -> bool:
    """Whether it has been told already what became of this due time."""
    return value(_HAD, schedule_id, due_at) is not None


def find_schedule(account: Account, key: str) -> Schedule:
    """The row, by its id or by the name of one's own. NotFound also for somebody else's."""
    named = (Schedule.user == account.id) & (Schedule.name == key)
    condition = Schedule.id == key if PATTERN.fullmatch(key) else named
    row = Schedule.select(Schedule, User).join(User).where(condition).first()
    if row is None or not may(account, Act.SEE_SCHEDULE, row):
        raise NotFound("There is no such schedule.")
    found: Schedule = row
    return found


def list_schedules(account: Account, now: float) -> tuple[ScheduleView, ...]:
    """One's own by name; an administrator's all, by user."""
    query = Schedule.select(Schedule, User).join(User).order_by(User.name, Schedule.name)
    if not may(account, Act.SEE_EVERY_SCHEDULE):
        query = query.where(Schedule.user == account.id)
    found = list(query)
    last = _last_ticks([row.id for row in found])
    return tuple(view(row, now, [last[row.id]] if row.id in last else []) for row in found)


def get_schedule(account: Account, key: str, now: float) -> ScheduleView:
    """One, with what became of its last times. NotFound."""
    row = find_schedule(account, key)
    ticks = ScheduleTick.select().where(ScheduleTick.schedule == row).order_by(ScheduleTick.id.desc())
    return view(row, now, list(ticks.limit(_SHOWN_TICKS)), detailed=True)


def view(row: Schedule, now: float, ticks: list[ScheduleTick], *, detailed: bool = False) -> ScheduleView:
    """A row with its ticks, newest first, as it is shown."""
    # From the row's own time on, so that what is shown is what will happen.
    begin = row.next_at if row.state == ScheduleState.ACTIVE else None
    times = () if begin is None else first_times(times_of(row.cron, row.once_at, row.zone), begin - 1, SHOWN_TIMES)
    shown = tuple(_tick_view(tick) for tick in ticks)
    return ScheduleView(
        id=row.id,
        name=row.name,
        user=row.user.name,
        app=row.app,
        version=row.version,
        cron=row.cron,
        at=row.once_at,
        zone=row.zone,
        words=times_in_words(row.cron, row.once_at, row.zone),
        when_running=WhenRunning(row.when_running),
        state=ScheduleState(row.state),
        state_reason=row.state_reason,
        next_at=row.next_at,
        next_times=tuple(float(one) for one in times),
        next_words=tuple(moment_in_words(one, row.zone, now) for one in times),
        input=row.input.rpartition("/")[2] if row.input else None,
        parameters=row.parameters,
        created_at=row.created_at,
        last=shown[0] if shown else None,
        ticks=shown if detailed else (),
    )


def _last_ticks(ids: Iterable[str]) -> dict[str, ScheduleTick]:
    wanted = list(ids)
    newest = [one.id for one in rows(_Id, _LAST, wanted)] if wanted else []
    return {tick.schedule_id: tick for tick in ScheduleTick.select().where(ScheduleTick.id.in_(newest))}


def _tick_view(tick: ScheduleTick) -> TickView:
    return TickView(
        due_at=tick.due_at,
        until_at=tick.until_at,
        count=tick.count,
        at=tick.at,
        outcome=TickOutcome(tick.outcome),
        job=tick.job,
        words=tick.words,
    )
