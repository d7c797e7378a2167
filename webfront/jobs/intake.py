"""Committing accepted jobs, those of many requests in one transaction.

A commit waits for the disk, and SQLite lets one writer in at a time; requests that wait for both one after the other
would be few a second. So whoever comes first commits for all who came meanwhile, and each returns once its own row
stands: no thread of its own, and no waiting where nobody else is.

Where a job has an idempotency key, the key's row is written first. If that is another job's already, or the key of one
that comes before it in the same transaction, the job is left out, and the others are not touched by it.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable
from functools import partial
from typing import Final, NamedTuple

import msgspec
import peewee

from webfront.activity import deeds
from webfront.activity.facts import Kind, NewFact, record_many
from webfront.database.connection import despite_deadlocks, transaction
from webfront.database.rows import many
from webfront.jobs.keys import Key, take
from webfront.jobs.states import JobState

_MOST: Final = 200
_INSERT: Final = (
    "INSERT INTO job (id, app_version_id, user_id, state, priority, input, parameters, attempts, message, "
    "cancel_requested, excluded_nodes, waiting_reason, submitted_at, schedule) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class NewJob(NamedTuple):
    """What a submission decides about a job's row."""

    id: str
    app_version_id: int
    user_id: int
    priority: int
    input: str | None
    parameters: dict[str, str]
    submitted_at: float
    user: str
    """The user's name, and below the app's, for the fact."""
    app: str
    controller: str = ""
    """Where the deed came in: another thread may commit it."""
    schedule: str | None = None
    """The id of the schedule that makes it."""
    key: Key | None = None


class _Ticket:
    __slots__ = ("accepted", "done", "error", "job")

    def __init__(self, job: NewJob) -> None:
        self.job = job
        self.done = False
        self.accepted = True
        self.error: peewee.PeeweeException | None = None


class Intake:
    def __init__(self) -> None:
        self._waiting: list[_Ticket] = []
        self._guard = threading.Lock()
        self._commit = threading.Lock()

    def accept(self, job: NewJob) -> bool:
        """Return once the job's row is committed; peewee's error when it cannot be.

        False: it never will be, since its key is another job's, which is committed by now.
        """
        ticket = _Ticket(job)
        with self._guard:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._commit:
                if not ticket.done:  # else the one before committed it too
                    self._commit_waiting()
        if ticket.error is not None:
            raise ticket.error
        if ticket.accepted:
            deeds.told(Kind.JOB_SUBMIT)
        return ticket.accepted

    def _commit_waiting(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        try:
            _insert(batch)
        except peewee.PeeweeException as error:
            if len(batch) == 1 or not isinstance(error, peewee.IntegrityError):
                for ticket in batch:
                    ticket.error = error
            else:
                _insert_apart(batch)
        finally:
            for ticket in batch:
                ticket.done = True


def _insert_apart(batch: list[_Ticket]) -> None:
    """One row is impossible (its app's version has just gone): the others are not to suffer for it."""
    for ticket in batch:
        try:
            _insert([ticket])
        except peewee.PeeweeException as error:
            ticket.error = error


def insert_jobs(jobs: Iterable[NewJob]) -> None:
    """Write the jobs' rows and facts within the caller's transaction."""
    batch = list(jobs)
    many(_INSERT, [_row(job) for job in batch])
    record_many(_fact(job) for job in batch)


def _insert(batch: list[_Ticket]) -> None:
    # Two that take a key which was just given up may deadlock on MySQL, whose locks reach beyond the key's row.
    despite_deadlocks(partial(_insert_once, batch))


def _insert_once(batch: list[_Ticket]) -> None:
    with transaction():
        _take_keys(batch)
        insert_jobs(ticket.job for ticket in batch if ticket.accepted)


def _take_keys(batch: list[_Ticket]) -> None:
    keyed = [(ticket.job.key, ticket) for ticket in batch if ticket.job.key is not None]
    for key, ticket in sorted(keyed, key=operator.itemgetter(0)):
        ticket.accepted = take(key, ticket.job.id, ticket.job.submitted_at)


def _fact(job: NewJob) -> NewFact:
    return NewFact(Kind.JOB_SUBMIT, job.submitted_at, user=job.user, controller=job.controller, app=job.app, job=job.id)


def _row(job: NewJob) -> tuple[object, ...]:
    return (
        job.id,
        job.app_version_id,
        job.user_id,
        JobState.QUEUED.value,
        job.priority,
        job.input,
        msgspec.json.encode(job.parameters).decode(),
        0,
        "",
        False,
        "[]",
        "",
        job.submitted_at,
        job.schedule,
    )
