"""Deleting a job: by its owner's hand, or when it is old.

Row first: one transaction removes the job's rows and writes down what is to go from the share, with the fact of it; the
chore of `webfront.retention.removals` removes that. Killed before the commit all of it is there, after it nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.database.connection import transaction
from webfront.database.rows import change, locked, rows
from webfront.errors import Conflict, NotFound
from webfront.jobs.logfiles import FOLDER as LOGS
from webfront.jobs.queries import find_job
from webfront.jobs.states import OPEN_JOBS
from webfront.retention.facts import DAY_S, is_read
from webfront.retention.removals import give_up
from webfront.retention.runs import EndedJob

_HOLD: Final = (
    "SELECT id, finished_at, attempts, input, results_run, input_run, log_run FROM job WHERE id = ? "
    "AND finished_at IS NOT NULL"
)
# Attempts and what they said go with it, by their foreign keys.
_DELETE: Final = "DELETE FROM job WHERE id IN (?*)"
_LOGGED: Final = "SELECT DISTINCT job_id AS job FROM attempt WHERE job_id IN (?*) AND log_bytes > 0"


class _Logged(NamedTuple):
    job: str


def delete_job(account: Account, job_id: str, now: float, told: Collection[str]) -> None:
    """Delete a job that has ended. NotFound; Conflict while it has not, or one of `told` has not read of its end."""
    job = find_job(account, job_id)
    require(account, Act.DELETE_JOB, job)
    if job.state in OPEN_JOBS:
        raise Conflict("The job has not ended. Cancel it, and delete it then.")
    with transaction():
        held = rows(EndedJob, locked(_HOLD), job.id)
        if not held:
            raise NotFound("There is no such job.")
        if not is_read(told, Kind.JOB_END, job.id, held[0].finished_at):
            raise Conflict("The job has just ended, and webhooks are still to be told. Try again in a moment.")
        delete_rows(held, now)
        deeds.tell(Kind.JOB_DELETE, job=job.id, app=job.app_version.app.name)


def delete_rows(jobs: Iterable[EndedJob], now: float, run: int | None = None) -> None:
    """Remove these jobs' rows, and have what is theirs go from the share, within the caller's transaction."""
    going = list(jobs)
    if not going:
        return
    paths = [f"results/{job.id}" for job in going if job.attempts and job.results_run is None]
    paths += [f"inputs/{job.id}" for job in going if job.input is not None and job.input_run is None]
    paths += log_paths(job.id for job in going if job.attempts and job.log_run is None)
    give_up(paths, "files of deleted jobs", now, run)
    # An attempt that was given up may still store something, and nothing would ever look there again.
    give_up([f"results/{job.id}" for job in going if job.attempts > 1], "files of deleted jobs", now + DAY_S, run)
    change(_DELETE, [job.id for job in going])


def log_paths(jobs: Iterable[str]) -> list[str]:
    """Where on the share the logs of these jobs are, of those that have come there."""
    asked = list(jobs)
    return [f"{LOGS}/{row.job}" for row in rows(_Logged, _LOGGED, asked)] if asked else []
