"""The chore that makes schedules' jobs. It looks each second; one job for each due time, whatever is killed.

Order for a schedule that is due: the job's input is put in place (a folder without a row, which a sweep removes if this
process dies now); then one transaction of the term holds the schedule's row, makes sure that it is still as it was
looked at, and writes the job, the tick with its unique key, the schedule's next time and the fact. So there is either
all of it or nothing, and nothing once another scheduler leads. The scheduler's next sweep places the job.

What is due but cannot be made is told in words: skipped where an earlier job has not ended, refused where the app no
longer takes it, missed where the platform came too late (`due`). A schedule whose app, version or input is gone is
paused, since each further time would end the same.
"""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path
from typing import Final

import peewee

from webfront.activity.facts import Kind, NewFact, Outcome, record
from webfront.activity.term import Deposed, Term
from webfront.database.models import Schedule, ScheduleTick, User
from webfront.errors import Gone, InvalidInput, NotFound
from webfront.jobs.identifiers import Ulids
from webfront.jobs.intake import NewJob, insert_jobs
from webfront.jobs.submission import discard
from webfront.schedules.due import MOST_COUNTED, Due, Missed, due_times
from webfront.schedules.making import prepare
from webfront.schedules.rows import MOST_OPEN, add_tick, had_tick, hold, open_jobs, standing
from webfront.schedules.states import ScheduleState, TickOutcome, WhenRunning
from webfront.schedules.times import Times, next_times, times_of
from webfront.schedules.words import date_in_words

_SET_BACK_S: Final = 60.0
"""Expressions are to the minute: a clock set back by less comes to the same next times."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Tick:
    """What is to become of one due time."""

    outcome: TickOutcome
    words: str = ""
    job: NewJob | None = None
    gone: bool = False
    """What the schedule runs is not there any more."""


class Ticker:
    def __init__(self, share_dir: Path) -> None:
        self._share = share_dir
        self._ulids = Ulids()
        self._aligned: Term | None = None
        self._last_look = 0.0

    def run(self, term: Term) -> str:
        """Come to all that is due. Raises `Deposed`, and at the end what kept it from some: they stay due."""
        now = term.now()
        if self._aligned is not term or now < self._last_look - _SET_BACK_S:
            align(term, now)
            self._aligned = term
        self._last_look = now
        outcomes: collections.Counter[TickOutcome] = collections.Counter()
        trouble = None
        for row in _due(now):
            try:
                outcomes.update(self._come_to(term, row, now))
            except (Deposed, peewee.PeeweeException):
                raise
            except Exception as error:  # the share, mostly: it holds up no other schedule
                trouble = error
        if trouble is not None:
            raise trouble
        return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())

    def _come_to(self, term: Term, row: Schedule, now: float) -> list[TickOutcome]:
        times = times_of(row.cron, row.once_at, row.zone)
        due = due_times(times, row.next_at or now, now)
        tick = None if due.now is None else self._prepare(row, term)
        with term.transaction():
            written = _write(row, times, due, tick, now)
        # Only now: while it is not known whether the row stands, its input stays.
        if tick is not None and tick.job is not None and TickOutcome.SUBMITTED not in written:
            discard(self._share, tick.job.id)
        return written

    def _prepare(self, row: Schedule, term: Term) -> _Tick:
        if words := _busy(row):
            return _Tick(TickOutcome.SKIPPED, words)
        try:
            return _Tick(TickOutcome.SUBMITTED, job=prepare(self._share, row, self._ulids, term.now))
        except (NotFound, Gone) as error:
            advice = "Give it another app, version or input, then resume it."
            return _Tick(TickOutcome.REFUSED, f"{error.message} {advice}", gone=True)
        except InvalidInput as error:
            return _Tick(TickOutcome.REFUSED, error.message)


def align(term: Term, now: float) -> None:
    """Compute anew when schedules are due next.

    It is otherwise known from the last time on. But a clock that was ahead has put it off, and a newer time zone
    database may move it. What has had its tick is not due again.
    """
    later = (Schedule.state == ScheduleState.ACTIVE.value) & (Schedule.next_at > now)
    for row in Schedule.select().where(later):
        times = times_of(row.cron, row.once_at, row.zone)
        had = ScheduleTick.select(ScheduleTick.due_at).where(ScheduleTick.schedule == row, ScheduleTick.due_at > now)
        served = {tick.due_at for tick in had}
        due = next((one for one in next_times(times, now) if one not in served), None)
        if due is not None and due != row.next_at:
            with term.transaction():
                if hold(row.id) == standing(row):
                    Schedule.update(next_at=float(due)).where(Schedule.id == row.id).execute()


def _due(now: float) -> list[Schedule]:
    due = (Schedule.state == ScheduleState.ACTIVE.value) & (Schedule.next_at <= now)
    return list(Schedule.select(Schedule, User).join(User).where(due).order_by(Schedule.next_at))


def _busy(row: Schedule) -> str:
    """Why no further job is to be made now; empty when one may be."""
    count = open_jobs(row.id)
    if count and row.when_running == WhenRunning.SKIP:
        return "Its last job had not ended."
    if count >= MOST_OPEN:
        return f"{count} of its jobs had not ended: so many may wait or run at once."
    return ""


def _write(row: Schedule, times: Times, due: Due, tick: _Tick | None, now: float) -> list[TickOutcome]:
    """All that becomes of it, within the transaction. Empty when it is not as it was looked at: then nothing."""
    if hold(row.id) != standing(row):
        return []
    written = []
    if due.missed is not None and not had_tick(row.id, due.missed.first):
        first, last, count = due.missed
        words = _missed_words(due.missed, row.zone)
        add_tick(row.id, first, now, TickOutcome.MISSED, until_at=float(last), count=count, words=words)
        _record(row, TickOutcome.MISSED, words, now, count=count)
        written.append(TickOutcome.MISSED)
    if tick is not None and due.now is not None and not had_tick(row.id, due.now):
        if tick.job is not None and (busy := _busy(row)):
            tick = _Tick(TickOutcome.SKIPPED, busy)
        if tick.job is not None:
            insert_jobs([tick.job._replace(controller="schedules")])
        job_id = tick.job.id if tick.job is not None else None
        add_tick(row.id, due.now, now, tick.outcome, job=job_id, words=tick.words[:500])
        _record(row, tick.outcome, tick.words, now, job=job_id or "")
        written.append(tick.outcome)
    Schedule.update(**_onward(times, due, tick, row.zone, now)).where(Schedule.id == row.id).execute()
    return written


def _onward(times: Times, due: Due, tick: _Tick | None, zone: str, now: float) -> dict[str, object]:
    """The schedule's state from now on."""
    next_at = times.after(now)
    if tick is not None and tick.gone:
        return {"state": ScheduleState.PAUSED.value, "state_reason": tick.words[:500], "next_at": None}
    if next_at is not None:
        return {"next_at": float(next_at)}
    reason = tick.words if tick is not None else _missed_words(due.missed, zone) if due.missed is not None else ""
    return {"state": ScheduleState.FINISHED.value, "state_reason": reason[:500], "next_at": None}


def _missed_words(missed: Missed, zone: str) -> str:
    first, last, count = missed
    why = "the platform did not run then, or came to it more than 5 minutes late"
    if count == 1:
        return f"The time {date_in_words(first, zone)} was missed: {why}."
    told = f"More than {count}" if count == MOST_COUNTED else str(count)
    return f"{told} times from {date_in_words(first, zone)} to {date_in_words(last, zone)} were missed: {why}."


def _record(row: Schedule, outcome: TickOutcome, words: str, now: float, *, job: str = "", count: int = 1) -> None:
    went_well = outcome in {TickOutcome.SUBMITTED, TickOutcome.SKIPPED}
    record(
        NewFact(
            Kind.SCHEDULE_TICK,
            now,
            Outcome.SUCCESS if went_well else Outcome.FAILURE,
            user=row.user.name,
            app=row.app,
            job=job,
            data={"schedule": row.id, "name": row.name, "became": outcome.value, "count": count, "words": words},
        )
    )
