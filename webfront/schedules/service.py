"""The schedules service: making, changing, pausing and deleting them. What makes their jobs is `ticking`.

Order, so that a death on any line leaves nothing wrong: an input is kept on the share before the row that names it is
committed, and an earlier one removed after that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import peewee

from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import Schedule
from webfront.errors import Conflict, NotFound, SkerryError
from webfront.jobs.identifiers import Ulids
from webfront.jobs.inputs import Input
from webfront.jobs.intake import insert_jobs
from webfront.jobs.queries import get_job
from webfront.jobs.submission import discard
from webfront.jobs.views import JobView
from webfront.schedules.kept import drop, keep, kept
from webfront.schedules.making import prepare
from webfront.schedules.plans import Checked, check_plan, columns, first_due, plan_of, read_times, same_times
from webfront.schedules.rows import (
    MOST_OPEN,
    SHOWN_TIMES,
    add_tick,
    find_schedule,
    get_schedule,
    hold,
    list_schedules,
    open_jobs,
)
from webfront.schedules.states import ScheduleState, TickOutcome
from webfront.schedules.times import first_times, times_of
from webfront.schedules.views import Plan, Preview, ScheduleView
from webfront.schedules.words import moment_in_words, times_in_words

MOST_SCHEDULES: Final = 50
"""Of one user."""


class ScheduleService:
    def __init__(self, share_dir: Path, hint: Callable[[str], None], clock: Clock = system_clock) -> None:
        """`hint` tells the scheduler of a job; it neither waits nor fails."""
        self._share = share_dir
        self._hint = hint
        self._clock = clock
        self._ulids = Ulids(clock)

    def list(self, account: Account) -> tuple[ScheduleView, ...]:
        """One's own, an administrator's all."""
        return list_schedules(account, self._clock())

    def get(self, account: Account, key: str) -> ScheduleView:
        """One by its id, or one's own by its name. NotFound also for another's."""
        return get_schedule(account, key, self._clock())

    def preview(self, *, cron: str | None, at: str | None, zone: str) -> Preview:
        """The next times of an expression, or of a date and time. InvalidInput."""
        cron, at = read_times(cron, at)
        now = self._clock()
        times = times_of(cron, at, zone)
        first_due(times, now)
        found = first_times(times, now, SHOWN_TIMES)
        words = tuple(moment_in_words(one, zone, now) for one in found)
        return Preview(times_in_words(cron, at, zone), tuple(map(float, found)), words)

    def create(self, account: Account, plan: Plan, given: Input | None = None) -> ScheduleView:
        """Make one; from now on it makes jobs. InvalidInput, NotFound (the app), Conflict (the name, too many)."""
        checked, now = check_plan(plan, given), self._clock()
        next_at = first_due(checked.times, now)
        path = self._keep(checked, given)
        schedule_id = self._ulids.next()
        try:
            with transaction(), _names_apart(plan.name):
                if Schedule.select().where(Schedule.user == account.id).count() >= MOST_SCHEDULES:
                    raise Conflict(f"You have {MOST_SCHEDULES} schedules already. Delete one that you no longer need.")
                state = ScheduleState.ACTIVE.value
                fields = columns(checked.plan) | {"input": path, "next_at": next_at, "state": state}
                row = Schedule.create(id=schedule_id, user=account.id, created_at=now, **fields)
                _tell(Kind.SCHEDULE_CREATE, account, row)
        except SkerryError:  # not after a database's error: the row may stand
            drop(self._share, path)
            raise
        return self.get(account, schedule_id)

    def change(
        self,
        account: Account,
        key: str,
        changes: dict[str, Any],
        given: Input | None = None,
        *,
        without_input: bool = False,
    ) -> ScheduleView:
        """Change fields of its plan, or its input. Other times begin to count now. Errors as `create`."""
        row = find_schedule(account, key)
        before = plan_of(row)
        plan = msgspec.structs.replace(before, **changes)
        checked = check_plan(plan, given or (None if without_input else kept(self._share, row.input)))
        values: dict[str, Any] = columns(checked.plan)
        if not same_times(checked.plan, before):
            next_at = first_due(checked.times, self._clock())
            if row.state != ScheduleState.PAUSED:
                values |= {"state": ScheduleState.ACTIVE.value, "state_reason": "", "next_at": next_at}
        if given is not None or without_input:
            values["input"] = self._keep(checked, given)
        try:
            with transaction(), _names_apart(plan.name):
                _same(row)
                Schedule.update(revision=row.revision + 1, **values).where(Schedule.id == row.id).execute()
                _tell(Kind.SCHEDULE_CHANGE, account, row)
        except SkerryError:
            if given is not None:
                drop(self._share, values["input"])
            raise
        if "input" in values:
            drop(self._share, row.input)
        return self.get(account, row.id)

    def pause(self, account: Account, key: str) -> ScheduleView:
        """It makes no jobs until it is resumed. Conflict when it is finished."""
        row = find_schedule(account, key)
        if row.state == ScheduleState.FINISHED:
            raise Conflict("This schedule is finished: there is nothing to pause.")
        self._move(account, row, ScheduleState.PAUSED, None)
        return self.get(account, row.id)

    def resume(self, account: Account, key: str) -> ScheduleView:
        """It makes jobs again, from its next time on: what passed meanwhile is not made up for. Conflict."""
        row = find_schedule(account, key)
        if row.state != ScheduleState.ACTIVE:
            due = times_of(row.cron, row.once_at, row.zone).after(self._clock())
            if due is None:
                raise Conflict("The time of this schedule has passed. Give it another time.")
            self._move(account, row, ScheduleState.ACTIVE, float(due))
        return self.get(account, row.id)

    def run(self, account: Account, key: str) -> JobView:
        """Make a job of it now, beside its times. Its owner's. Errors as for a job; Conflict when too many wait."""
        row = find_schedule(account, key)
        job = prepare(self._share, row, self._ulids, self._clock)
        try:
            with transaction():
                _same(row)
                if open_jobs(row.id) >= MOST_OPEN:
                    raise Conflict(f"{MOST_OPEN} jobs of this schedule have not ended yet. Cancel some, or wait.")
                insert_jobs([job])
                now = job.submitted_at
                add_tick(row.id, now, now, TickOutcome.SUBMITTED, job=job.id, words="run by hand")
                _tell(Kind.SCHEDULE_RUN, account, row)
        except SkerryError:
            discard(self._share, job.id)
            raise
        self._hint(job.id)
        return get_job(account, job.id)

    def delete(self, account: Account, key: str) -> None:
        """Delete it. The jobs it has made stay."""
        row = find_schedule(account, key)
        with transaction():
            Schedule.delete().where(Schedule.id == row.id).execute()
            _tell(Kind.SCHEDULE_DELETE, account, row)
        drop(self._share, row.input)

    def _keep(self, checked: Checked, given: Input | None) -> str | None:
        if given is None or checked.input_name is None:
            return None
        return keep(self._share, self._ulids, checked.input_name, given)

    def _move(self, account: Account, row: Schedule, to: ScheduleState, next_at: float | None) -> None:
        with transaction():
            if _same(row) is to:
                return
            values = {"state": to.value, "state_reason": "", "next_at": next_at, "revision": row.revision + 1}
            Schedule.update(**values).where(Schedule.id == row.id).execute()
            _tell(Kind.SCHEDULE_PAUSE if to is ScheduleState.PAUSED else Kind.SCHEDULE_RESUME, account, row)


def _tell(kind: Kind, account: Account, row: Schedule) -> None:
    deeds.tell(kind, user=account.name, app=row.app, data={"schedule": row.id, "name": row.name})


def _same(row: Schedule) -> ScheduleState:
    """Hold the row, if nobody has changed the schedule since it was read. NotFound, Conflict."""
    found = hold(row.id)
    if found is None:
        raise NotFound("There is no such schedule.")
    if found.revision != row.revision:
        raise Conflict("This schedule was changed meanwhile. Look at it again, then repeat what you did.")
    return ScheduleState(found.state)


@contextlib.contextmanager
def _names_apart(name: str) -> Iterator[None]:
    try:
        yield
    except peewee.IntegrityError as error:
        raise Conflict(f"You have a schedule {name} already. Give this one another name.") from error
