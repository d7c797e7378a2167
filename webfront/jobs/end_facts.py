"""The facts of ends: an attempt's, and a job's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from webfront.activity.facts import Kind, NewFact, Outcome, record_many
from webfront.database.rows import rows
from webfront.jobs.states import JobState
from wire.messages import Cause

_USERS: Final = "SELECT id, name FROM `user` WHERE id IN (?*)"


class _User(NamedTuple):
    id: int
    name: str


class AttemptEnd(NamedTuple):
    job: str
    user_id: int
    """Whose job it is, and below of which app."""
    app: str
    number: int
    node: str
    cause: str
    at: float


class JobEnd(NamedTuple):
    job: str
    user_id: int
    app: str
    state: JobState
    cause: str
    at: float


def record_ends(attempts: Sequence[AttemptEnd], jobs: Sequence[JobEnd]) -> None:
    """Record these ends, the attempts' first. In the transaction that writes them."""
    users = {one.user_id for one in attempts} | {one.user_id for one in jobs}
    if not users:
        return
    names = {one.id: one.name for one in rows(_User, _USERS, list(users))}
    facts = [
        NewFact(
            Kind.ATTEMPT_END,
            one.at,
            Outcome.SUCCESS if one.cause == Cause.OK else Outcome.FAILURE,
            user=names[one.user_id],
            app=one.app,
            node=one.node,
            job=one.job,
            attempt=one.number,
            data={"cause": one.cause},
        )
        for one in attempts
    ]
    facts.extend(
        NewFact(
            Kind.JOB_END,
            one.at,
            Outcome.SUCCESS if one.state is JobState.SUCCEEDED else Outcome.FAILURE,
            user=names[one.user_id],
            app=one.app,
            job=one.job,
            data={"state": one.state.value, "cause": one.cause},
        )
        for one in jobs
    )
    record_many(facts)
