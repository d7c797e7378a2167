"""The jobs service: submission, queries, logs, cancelling and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.database.models import Attempt
from webfront.errors import Conflict, NotFound
from webfront.jobs.lifecycle import request_cancel
from webfront.jobs.logs import read_log
from webfront.jobs.queries import find_job, get_job, list_jobs, outputs_of
from webfront.jobs.submission import Submission
from webfront.jobs.views import Download, InputFile, JobView, LogView
from webfront.share import open_inside


class JobService:
    """Implements `webfront.web.services.Jobs`."""

    def __init__(self, share_dir: Path, hint: Callable[[str], None], clock: Clock = system_clock) -> None:
        self._results = share_dir / "results"
        self._hint = hint
        self._clock = clock
        self._submission = Submission(share_dir, hint, clock=clock)

    def submit(
        self,
        account: Account,
        *,
        app: str,
        version: str | None = None,
        parameters: Mapping[str, str] | None = None,
        input_file: InputFile | None = None,
        priority: int = 0,
    ) -> JobView:
        return self._submission.submit(
            account, app=app, version=version, parameters=parameters, input_file=input_file, priority=priority
        )

    def list(
        self,
        account: Account,
        *,
        state: str | None = None,
        app: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[JobView, ...]:
        return list_jobs(account, state=state, app=app, limit=limit, before=before)

    def get(self, account: Account, job_id: str) -> JobView:
        return get_job(account, job_id)

    def cancel(self, account: Account, job_id: str) -> JobView:
        job = find_job(account, job_id)
        if not request_cancel(job.id, self._clock()):
            raise Conflict("The job is over already.")
        self._hint(job.id)  # so that the scheduler tells the node now rather than at its next sweep
        return get_job(account, job_id)

    def log(
        self, account: Account, job_id: str, *, after: int = 0, attempt: int | None = None, limit: int = 2000
    ) -> LogView:
        job = find_job(account, job_id)
        return read_log(job, after=after, attempt=attempt, limit=limit, now=self._clock())

    def output(self, account: Account, job_id: str, name: str) -> Download:
        job = find_job(account, job_id)
        attempts = list(Attempt.select().where(Attempt.job == job).order_by(Attempt.number))
        for output in outputs_of(job, attempts):
            if output.name == name:
                file = open_inside(self._results, job.id, str(job.attempts), *name.split("/"))
                return Download(name.rpartition("/")[2], output.size, output.sha256, file)
        raise NotFound("The job has no such output.")
