"""The jobs service: submission, queries, logs, cancelling and results."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO

from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.database.models import Attempt
from webfront.errors import Conflict, NotFound
from webfront.jobs.deleting import delete_job
from webfront.jobs.inputs import SharedInput
from webfront.jobs.lifecycle import request_cancel
from webfront.jobs.listing import list_jobs
from webfront.jobs.logs import read_log, whole_file
from webfront.jobs.queries import find_job, get_job, outputs_of, still_there
from webfront.jobs.submission import Submission
from webfront.jobs.views import Download, JobView, LogView
from webfront.share import open_inside


class JobService:
    def __init__(
        self,
        share_dir: Path,
        hint: Callable[[str], None],
        clock: Clock = system_clock,
        told: Collection[str] = (),
    ) -> None:
        """`hint` tells the scheduler of a job; it neither waits nor fails.

        `told` are the consumers of facts that read a job's row when it has ended: it is not deleted before.
        """
        self._share = share_dir
        self._results = share_dir / "results"
        self._hint = hint
        self._clock = clock
        self._told = told
        self.submit = Submission(share_dir, hint, clock=clock).submit

    list = staticmethod(list_jobs)
    get = staticmethod(get_job)

    def input_of(self, account: Account, job_id: str) -> SharedInput:
        """A job's input, for another job or a schedule to use. NotFound, also when the job has none."""
        job = find_job(account, job_id)
        if job.input is None:
            raise NotFound("That job has no input.")
        still_there(job.input_run, "Its input was")
        return SharedInput(self._share, job.input)

    def cancel(self, account: Account, job_id: str) -> JobView:
        """Ask for its end. Conflict when it is over."""
        job = find_job(account, job_id)
        if not request_cancel(job.id, self._clock()):
            raise Conflict("The job is over already.")
        self._hint(job.id)  # so that the scheduler tells the node now rather than at its next sweep
        return get_job(account, job_id)

    def delete(self, account: Account, job_id: str) -> None:
        """Delete it with all that is its. NotFound; Conflict while it has not ended."""
        delete_job(account, job_id, self._clock(), self._told)

    def log(
        self,
        account: Account,
        job_id: str,
        *,
        after: int = 0,
        attempt: int | None = None,
        limit: int = 2000,
        last: int | None = None,
    ) -> LogView:
        """Lines after a number, or from the `last` ones on, of the newest attempt unless one is named.

        Gone where the log is not kept any more.
        """
        job = find_job(account, job_id)
        still_there(job.log_run, "Its log was")
        now = self._clock()
        return read_log(self._share, job, after=after, attempt=attempt, limit=limit, now=now, last=last)

    def log_file(self, account: Account, job_id: str, attempt: int | None = None) -> BinaryIO | None:
        """A log's file, open, where the file is the log; None where it must be put together by `log`."""
        job = find_job(account, job_id)
        still_there(job.log_run, "Its log was")
        return whole_file(self._share, job, attempt)

    def output(self, account: Account, job_id: str, name: str) -> Download:
        """A result file of the attempt that counts. NotFound for any other name or attempt, Gone once they are old."""
        job = find_job(account, job_id)
        attempts = list(Attempt.select().where(Attempt.job == job).order_by(Attempt.number))
        for output in outputs_of(job, attempts):
            if output.name == name:
                still_there(job.results_run, "Its results were")
                file = open_inside(self._results, job.id, str(job.attempts), *name.split("/"))
                return Download(name.rpartition("/")[2], output.size, output.sha256, file)
        raise NotFound("The job has no such output.")
