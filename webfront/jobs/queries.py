"""One job, as pages and the API show it. A user sees their own, an administrator all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import peewee

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.database.models import App, AppVersion, Attempt, Job, RetentionRun, Schedule, User
from webfront.errors import Gone, NotFound
from webfront.jobs.identifiers import PATTERN
from webfront.jobs.rankings import rankings_of
from webfront.jobs.states import ENDED_JOBS, AttemptState, JobState
from webfront.jobs.views import AttemptView, Deletion, JobView, OutputView, Stage
from wire.messages import Cause


def get_job(account: Account, job_id: str) -> JobView:
    """One job with its attempts, and with the outputs of the attempt that counts. NotFound also for another's job."""
    job = find_job(account, job_id)
    attempts = list(Attempt.select().where(Attempt.job == job).order_by(Attempt.number))
    rankings = rankings_of(job)
    shown = tuple(_attempt_view(row, rankings.get(row.number)) for row in attempts)
    return msgspec.structs.replace(
        _view(job, shown, outputs_of(job, attempts)),
        results_deleted=deletion(job.results_run),
        input_deleted=deletion(job.input_run),
        log_deleted=deletion(job.log_run),
    )


def deletion(run: int | None) -> Deletion | None:
    """When and why that run of the retention removed something; None where none has."""
    row = None if run is None else RetentionRun.get_or_none(RetentionRun.id == run)
    return None if row is None else Deletion(row.at, row.days)


def still_there(run: int | None, what: str) -> None:
    """Gone, in words, where a run of the retention has removed it. `what` is what was removed, with `was` or `were`."""
    if (removed := deletion(run)) is not None:
        raise Gone(removed.words(what))


def find_job(account: Account, job_id: str) -> Job:
    """The row. NotFound, and no other answer for somebody else's job: whether it exists is nobody's business."""
    job = _jobs().where(Job.id == job_id).first() if PATTERN.fullmatch(job_id) else None
    if job is None or not may(account, Act.SEE_JOB, job):
        raise NotFound("There is no such job.")
    found: Job = job
    return found


def outputs_of(job: Job, attempts: Sequence[Attempt]) -> tuple[OutputView, ...]:
    """The files of the attempt that counts: the newest, once the job is over. A superseded one's are never shown."""
    if job.state not in ENDED_JOBS or not attempts:
        return ()
    newest = attempts[-1]
    if newest.number != job.attempts or newest.state != AttemptState.ENDED:
        return ()
    return tuple(msgspec.convert(newest.outputs, tuple[OutputView, ...]))


def _jobs() -> Any:
    jobs = Job.select(Job, AppVersion, App, User, Schedule.name).join(AppVersion).join(App).switch(Job).join(User)
    return jobs.switch(Job).join(Schedule, peewee.JOIN.LEFT_OUTER, on=(Job.schedule == Schedule.id), attr="made_by")


def _view(job: Any, attempts: tuple[AttemptView, ...], outputs: tuple[OutputView, ...]) -> JobView:
    return JobView(
        id=job.id,
        app=job.app_version.app.name,
        version=job.app_version.hash,
        user=job.user.name,
        state=JobState(job.state),
        cause=_cause(job.cause),
        message=job.message,
        waiting_reason=job.waiting_reason,
        cancel_requested=job.cancel_requested,
        submitted_at=job.submitted_at,
        finished_at=job.finished_at,
        parameters=job.parameters,
        input=job.input.rpartition("/")[2] if job.input else None,
        outputs=outputs,
        attempts=attempts,
        priority=job.priority,
        schedule=job.schedule,
        schedule_name=job.made_by.name if job.made_by is not None else None,
    )


def _attempt_view(row: Attempt, ranking: list[dict[str, Any]] | None) -> AttemptView:
    return AttemptView(
        number=row.number,
        node=row.node,
        state=AttemptState(row.state),
        placement=row.placement if ranking is None else row.placement | {"ranking": ranking},
        placed_at=row.placed_at,
        claimed_at=row.claimed_at,
        preparing=row.preparing,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cause=_cause(row.cause),
        message=row.message,
        exit_code=row.exit_code,
        log_lines=row.log_lines,
        usage=row.usage,
        stage=None if row.stage is None else msgspec.convert(row.stage, Stage),
        refusal=row.refusal,
        node_fell=row.node_fell,
    )


def _cause(text: str | None) -> Cause | None:
    return None if text is None else Cause(text)
