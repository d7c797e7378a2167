"""The facts of ends: an attempt's, and a job's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from webfront.activity.facts import Kind, NewFact, Outcome, record_many
from webfront.database.rows import rows
from webfront.jobs.states import JobState
from wire.messages import Cause

_NAMES: Final = (
    "SELECT j.id, u.name AS `user`, a.name AS app FROM job j JOIN `user` u ON u.id = j.user_id "
    "JOIN app_version v ON v.id = j.app_version_id JOIN app a ON a.id = v.app_id WHERE j.id IN (?*)"
)


class _Names(NamedTuple):
    id: str
    user: str
    app: str


class AttemptEnd(NamedTuple):
    job: str
    number: int
    node: str
    cause: str
    at: float


class JobEnd(NamedTuple):
    job: str
    state: JobState
    cause: str
    at: float


def record_ends(attempts: Iterable[AttemptEnd], jobs: Iterable[JobEnd]) -> None:
    """Record these ends, the attempts' first. In the transaction that writes them."""
    attempts, jobs = list(attempts), list(jobs)
    ids = {one.job for one in attempts} | {one.job for one in jobs}
    if not ids:
        return
    names = {one.id: one for one in rows(_Names, _NAMES, list(ids))}
    facts = []
    for attempt in attempts:
        of = names[attempt.job]
        facts.append(
            NewFact(
                Kind.ATTEMPT_END,
                attempt.at,
                Outcome.SUCCESS if attempt.cause == Cause.OK else Outcome.FAILURE,
                user=of.user,
                app=of.app,
                node=attempt.node,
                job=attempt.job,
                attempt=attempt.number,
                data={"cause": attempt.cause},
            )
        )
    for job in jobs:
        of = names[job.job]
        facts.append(
            NewFact(
                Kind.JOB_END,
                job.at,
                Outcome.SUCCESS if job.state is JobState.SUCCEEDED else Outcome.FAILURE,
                user=of.user,
                app=of.app,
                job=job.job,
                data={"state": job.state.value, "cause": job.cause},
            )
        )
    record_many(facts)
