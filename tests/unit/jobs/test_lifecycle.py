"""What a job, an attempt and a node may become, and what changes nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from webfront.database.models import App, AppVersion, Job, Node, User
from webfront.fleet.states import NODE_TRANSITIONS, NodeState, change_node
from webfront.jobs import lifecycle
from webfront.jobs.endings import Ending, Past
from webfront.jobs.lifecycle import AttemptRecord, IllegalTransitionError, JobRecord, request_cancel
from webfront.jobs.states import ATTEMPT_TRANSITIONS, JOB_TRANSITIONS, AttemptState, JobState
from webfront.jobs.views import Stage
from wire.messages import Cause

Pair = tuple[JobRecord, AttemptRecord]


def placed(node: str = "alpha", job: JobRecord | None = None) -> Pair:
    job = job or JobRecord("J", 1, 1, JobState.QUEUED, 0, False, [])
    attempt = lifecycle.place(job, node, now=100.0)
    assert attempt is not None
    return job, attempt


def end(pair: Pair, cause: Cause, *, node: str = "alpha", earlier: tuple[str, ...] = (), **retries: int) -> bool:
    ending = Ending(cause, at=150.0)
    past = [Past("omega", one) for one in earlier]
    return lifecycle.end(*pair, node, ending, kind="job", retries=retries, earlier=past, now=200.0)


def test_every_state_has_its_row_in_the_tables() -> None:
    assert set(JOB_TRANSITIONS) == set(JobState)
    assert set(ATTEMPT_TRANSITIONS) == set(AttemptState)
    assert set(NODE_TRANSITIONS) == set(NodeState)


def test_a_job_goes_from_queued_to_its_outcome() -> None:
    job, attempt = pair = placed()
    assert (job.state, job.attempts, attempt.number, attempt.node) == (JobState.PLACED, 1, 1, "alpha")
    assert lifecycle.place(job, "beta", now=101.0) is None
    assert lifecycle.claim(job, attempt, "alpha", at=110.0, now=111.0)
    assert lifecycle.prepare(job, attempt, "alpha", Stage("building the environment", 112.0, "scipy", 142.0), now=113.0)
    assert (attempt.preparing, attempt.stage) == (
        "building the environment",
        Stage("building the environment", 112.0, "scipy", 142.0),
    )
    assert lifecycle.start(job, attempt, "alpha", at=120.0, now=121.0)
    assert job.state is JobState.RUNNING
    # After its process the results are stored; and a node's clock may be an hour ahead.
    assert lifecycle.prepare(job, attempt, "alpha", Stage("storing the results", 3730.0, until=3760.0), now=130.0)
    assert (attempt.preparing, attempt.stage) == (
        "building the environment",
        Stage("storing the results", 130.0, until=160.0),
    )
    assert end(pair, Cause.OK)
    assert (job.state, job.cause, job.finished_at, attempt.ended_at) == (JobState.SUCCEEDED, "ok", 200.0, 150.0)


def test_a_repetition_another_node_and_an_older_attempt_change_nothing() -> None:
    job, attempt = pair = placed()
    assert not lifecycle.claim(job, attempt, "beta", at=110.0, now=111.0)
    assert not lifecycle.start(job, attempt, "beta", at=110.0, now=111.0)
    assert not end(pair, Cause.OK, node="beta")
    assert lifecycle.claim(job, attempt, "alpha", at=110.0, now=111.0)
    assert not lifecycle.claim(job, attempt, "alpha", at=115.0, now=116.0)
    assert attempt.claimed_at == 110.0
    assert end(pair, Cause.NODE_LOST)
    assert not end(pair, Cause.OK)
    second = placed("beta", job)
    assert not lifecycle.start(job, attempt, "alpha", at=120.0, now=121.0)
    assert not end((job, attempt), Cause.OK)
    assert (job.state, second[1].number, attempt.cause) == (JobState.PLACED, 2, "node_lost")
    assert end(second, Cause.OK, node="beta")
    assert job.state is JobState.SUCCEEDED


def test_a_nodes_clock_does_not_turn_the_order_round() -> None:
    job, attempt = placed()
    lifecycle.claim(job, attempt, "alpha", at=5.0, now=111.0)
    lifecycle.start(job, attempt, "alpha", at=9e9, now=112.0)
    assert (attempt.claimed_at, attempt.started_at) == (100.0, 112.0)


@pytest.mark.parametrize(
    ("cause", "retries", "earlier", "state"),
    [
        (Cause.APP_ERROR, {}, (), JobState.FAILED),
        (Cause.APP_ERROR, {"app_error": 1}, (), JobState.QUEUED),
        (Cause.APP_ERROR, {"app_error": 1}, ("app_error",), JobState.FAILED),
        (Cause.APP_ERROR, {"app_error": 1}, ("node_lost", "timeout"), JobState.QUEUED),
        (Cause.TIMEOUT, {}, (), JobState.FAILED),
        (Cause.OUT_OF_MEMORY, {"out_of_memory": 2}, ("out_of_memory",), JobState.QUEUED),
        (Cause.NODE_LOST, {}, ("node_lost",) * 2, JobState.QUEUED),
        (Cause.NODE_LOST, {}, ("node_lost",) * 3, JobState.FAILED),
        (Cause.NODE_LOST, {"node_lost": 0}, (), JobState.FAILED),
        (Cause.REJECTED, {"node_lost": 0}, (), JobState.FAILED),
        (Cause.REJECTED, {"node_lost": 0, "rejected": 1}, (), JobState.QUEUED),
        # The agent ended it unasked: as good as lost.
        (Cause.CANCELLED, {}, (), JobState.QUEUED),
    ],
)
def test_the_cause_and_the_manifest_decide_on_a_retry(
    cause: Cause, retries: dict[str, Any], earlier: tuple[str, ...], state: JobState
) -> None:
    job, _ = pair = placed()
    assert end(pair, cause, earlier=earlier, **retries)
    assert job.state is state
    assert job.excluded_nodes == (["alpha"] if cause in (Cause.NODE_LOST, Cause.REJECTED) else [])
    assert (job.finished_at is None) is (state is JobState.QUEUED)


@pytest.mark.parametrize(
    ("cause", "retries", "state"),
    [
        (Cause.OK, {}, JobState.SUCCEEDED),
        (Cause.CANCELLED, {}, JobState.CANCELLED),
        (Cause.NODE_LOST, {}, JobState.CANCELLED),
        (Cause.NODE_LOST, {"node_lost": 0}, JobState.CANCELLED),
        (Cause.APP_ERROR, {}, JobState.FAILED),
        (Cause.APP_ERROR, {"app_error": 5}, JobState.CANCELLED),
    ],
)
def test_a_job_that_is_no_longer_wanted_is_not_tried_again(
    cause: Cause, retries: dict[str, Any], state: JobState
) -> None:
    job, _ = pair = placed()
    job.cancel_requested = True
    assert end(pair, cause, **retries)
    assert job.state is state


def test_a_transition_that_no_table_has_is_a_fault() -> None:
    job, attempt = placed()
    job.state = JobState.SUCCEEDED
    with pytest.raises(IllegalTransitionError):
        end((job, attempt), Cause.OK)


@pytest.fixture
def job(database: object) -> Job:
    user = User.create(name="ada", password_hash="-", created_at=0)
    app = App.create(name="noop", owner=user, created_at=0)
    version = AppVersion.create(app=app, hash="0" * 64, manifest={}, size=1, uploaded_at=0)
    return Job.create(id="J", app_version=version, user=user, state="queued", submitted_at=0, force_insert=True)


def test_a_cancel_ends_a_queued_job_and_only_marks_one_under_way(job: Job) -> None:
    assert request_cancel("J", now=7.0)
    row = Job.get_by_id("J")
    assert (row.state, row.cause, row.finished_at, row.cancel_requested) == ("cancelled", "cancelled", 7.0, True)
    assert not request_cancel("J", now=8.0)
    assert not request_cancel("unknown", now=8.0)
    Job.update(state="running", finished_at=None, cancel_requested=False).execute()
    assert request_cancel("J", now=9.0)
    row = Job.get_by_id("J")
    assert (row.state, row.cancel_requested, row.finished_at) == ("running", True, None)


def test_a_node_moves_only_as_its_table_says(database: object) -> None:
    Node.create(name="alpha", state="active", connection="local", address="", created_at=time.time())
    assert change_node("alpha", NodeState.SUSPECT, "no heartbeat for 20 s")
    assert not change_node("alpha", NodeState.DRAINED)
    assert not change_node("alpha", NodeState.DEAD, only_from=[NodeState.ACTIVE])
    Node.update(consecutive_failures=4).execute()
    assert change_node("alpha", NodeState.ACTIVE)
    row = Node.get()
    assert (row.state, row.state_reason, row.consecutive_failures) == ("active", "", 0)
    assert not change_node("beta", NodeState.REMOVED)
