"""Committing accepted jobs, those of many requests in one transaction.

A commit waits for the disk, and SQLite lets one writer in at a time; requests that wait for both one after the other
would be few a second. So whoever comes first commits for all who came meanwhile, and each returns once its own row
stands: no thread of its own, and no waiting where nobody else is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import peewee

from webfront.activity import deeds
from webfront.activity.facts import Kind, NewFact, record_many
from webfront.database.connection import transaction
from webfront.database.rows import many
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


class _Ticket:
    __slots__ = ("done", "error", "job")

    def __init__(self, job: NewJob) -> None:
        self.job = job
        self.done = False
        self.error: peewee.PeeweeException | None = None


class Intake:
    def __init__(self) -> None:
        self._waiting: list[_Ticket] = []
        self._guard = threading.Lock()
        self._commit = threading.Lock()

    def accept(self, job: NewJob) -> None:
        """Return once the job's row is committed; peewee's error when it cannot be."""
        ticket = _Ticket(job)
        with self._guard:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._commit:
                if not ticket.done:  # else the one before committed it too
                    self._commit_waiting()
        if ticket.error is not None:
            raise ticket.error
        deeds.told(Kind.JOB_SUBMIT)

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
    with transaction():
        insert_jobs(ticket.job for ticket in batch)


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
