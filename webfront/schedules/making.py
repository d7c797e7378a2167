"""A schedule's job, up to its row: by the same checks as any other, against the version that is the newest then."""

from __future__ import annotations

from pathlib import Path

from webfront.accounts.users import account_of
from webfront.clock import Clock
from webfront.database.models import Schedule
from webfront.jobs.identifiers import Ulids
from webfront.jobs.intake import NewJob
from webfront.jobs.submission import prepare_job
from webfront.schedules.kept import kept


def prepare(share: Path, row: Schedule, ulids: Ulids, clock: Clock) -> NewJob:
    """A job of the schedule's owner, its input in place. InvalidInput, NotFound (what it runs is gone), Unavailable."""
    return prepare_job(
        share,
        ulids.next(),
        account_of(row.user),
        app=row.app,
        version=row.version,
        parameters=row.parameters,
        given=kept(share, row.input),
        clock=clock,
        schedule=row.id,
    ).row
