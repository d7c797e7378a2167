"""Whose jobs are whose, by their ids alone."""

from __future__ import annotations

from collections.abc import Iterable

from webfront.accounts.views import Account
from webfront.database.models import Job
from webfront.jobs.identifiers import PATTERN, first_after


def newest_jobs(account: Account, before: float, limit: int) -> list[str]:
    """The ids of the account's own jobs that were submitted before this moment, the newest first."""
    mine = Job.select(Job.id).where((Job.user == account.id) & (Job.id < first_after(before)))
    return [job.id for job in mine.order_by(Job.id.desc()).limit(limit)]


def own_jobs(account: Account, ids: Iterable[object]) -> frozenset[str]:
    """Which of these, which may be anything, are ids of the account's own jobs."""
    asked = {one for one in ids if isinstance(one, str) and PATTERN.fullmatch(one)}
    mine = Job.select(Job.id).where((Job.user == account.id) & Job.id.in_(asked))
    return frozenset(job.id for job in mine) & asked if asked else frozenset()
