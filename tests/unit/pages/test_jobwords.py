"""A job in words, at each point of its life."""

from __future__ import annotations

from typing import Any

import msgspec

from webfront.jobs.states import AttemptState, JobState
from webfront.jobs.views import AttemptView, JobView, Stage
from webfront.pages import jobwords
from webfront.scheduling.explanation import Explanation, Situation
from wire.messages import Cause

T = 1_700_000_000.0
ATTEMPT = AttemptView(
    number=1,
    node="beta",
    state=AttemptState.PLACED,
    placement={},
    placed_at=T + 0.5,
    claimed_at=None,
    preparing="",
    started_at=None,
    ended_at=None,
    cause=None,
    message="",
    exit_code=None,
    log_lines=None,
    usage=None,
)
JOB = JobView(
    id="0" * 26,
    app="digits",
    version="a" * 64,
    user="ada",
    state=JobState.QUEUED,
    cause=None,
    message="",
    waiting_reason="",
    cancel_requested=False,
    submitted_at=T,
    finished_at=None,
    parameters={},
    input=None,
)

WHY = Explanation(Situation.NOWHERE, "No node has the label gpu.", "a node", T, None, "register one")


def job(state: str, *attempts: AttemptView, **fields: Any) -> JobView:
    if (cause := fields.get("cause")) is not None:
        fields["cause"] = Cause(cause)
    return msgspec.structs.replace(JOB, state=JobState(state), attempts=attempts, **fields)


def attempt(**fields: Any) -> AttemptView:
    for name, kind in (("state", AttemptState), ("cause", Cause)):
        if fields.get(name) is not None:
            fields[name] = kind(fields[name])
    return msgspec.structs.replace(ATTEMPT, **fields)


def steps(one: JobView) -> list[tuple[str, str]]:
    return [(step.title, step.status) for step in jobwords.timeline(one)]


def test_a_queued_job_says_why_it_waits() -> None:
    waiting = job("queued", waiting_reason="no node has the label gpu")
    assert jobwords.headline(waiting, WHY) == "No node has the label gpu."
    assert steps(waiting) == [
        ("Submitted", "done"),
        ("Waiting for a place", "now"),
        ("Started", "todo"),
        ("Finished", "todo"),
    ]


def test_exactly_one_step_is_under_way_until_the_end() -> None:
    lives = [
        attempt(),
        attempt(state="claimed", claimed_at=T + 1),
        attempt(state="claimed", claimed_at=T + 1, preparing="installing requirements"),
        attempt(state="running", claimed_at=T + 1, started_at=T + 2),
    ]
    for one in lives:
        state = "running" if one.started_at else "placed"
        assert [status for _, status in steps(job(state, one))].count("now") == 1


def test_a_finished_job_shows_how_long_each_step_took() -> None:
    ended = attempt(state="ended", claimed_at=T + 1, started_at=T + 3, ended_at=T + 7, cause="ok", preparing="building")
    done = jobwords.timeline(job("succeeded", ended, finished_at=T + 7))
    assert [(step.title, step.took) for step in done] == [
        ("Submitted", None),
        ("Placed on beta", 0.5),
        ("Claimed by the node", 0.5),
        ("Preparing", 2.0),
        ("Started", None),
        ("Finished", 4.0),
    ]
    assert all(step.status == "done" for step in done)


def test_a_job_that_never_started_ends_without_a_start() -> None:
    lost = attempt(state="ended", ended_at=T + 9, cause="rejected", message="no room")
    ended = job("failed", lost, cause="rejected", finished_at=T + 9)
    assert steps(ended) == [("Submitted", "done"), ("Placed on beta", "done"), ("Failed", "failed")]
    assert "another" not in jobwords.failure(ended).title


def test_a_job_under_which_nodes_went_down_says_that_and_not_to_run_it_again() -> None:
    fell = attempt(state="ended", ended_at=T + 9, cause="node_lost", node_fell=True)
    refused = attempt(state="ended", ended_at=T + 9, cause="rejected", refusal="no_space")
    lost = attempt(state="ended", ended_at=T + 9, cause="node_lost")
    ended = job("failed", fell, fell, refused, fell, cause="node_lost", finished_at=T + 9)
    assert jobwords.failure(ended).title == "Nodes went down under it, one after the other"
    for others in ((fell, fell, lost), (fell, lost, fell), (fell, fell)):
        ended = job("failed", *others, cause="node_lost", finished_at=T + 9)
        assert jobwords.failure(ended).title == "The node was lost while it ran, each time it was tried"


def test_a_retried_job_tells_of_the_attempt_before() -> None:
    lost = attempt(state="ended", ended_at=T + 9, cause="node_lost")
    again = job("queued", lost)
    assert jobwords.headline(again, WHY).startswith("Attempt 1 on beta ended (the node was lost); it is tried again.")
    second = attempt(number=2, node="alpha", placed_at=T + 10)
    shown = jobwords.timeline(job("placed", lost, second))
    assert [step.title for step in shown][:3] == ["Submitted", "Tried again", "Placed on alpha"]
    assert shown[2].took == 1.0


def test_clocks_that_differ_never_show_less_than_nothing() -> None:
    early = attempt(state="claimed", claimed_at=T + 0.2)
    assert [step.took for step in jobwords.timeline(job("placed", early))][2] == 0.0


def test_every_failure_says_what_to_do() -> None:
    for cause in ("app_error", "timeout", "out_of_memory", "node_lost", "rejected", None):
        words = jobwords.failure(job("failed", attempt(cause=cause), cause=cause))
        assert words.title
        assert words.advice


def test_a_stage_is_a_step_under_way_before_the_start_and_after_the_process() -> None:
    building = Stage("building the environment", T + 2, "installing scipy")
    before = attempt(state="claimed", claimed_at=T + 1, preparing=building.what, stage=building)
    step = next(one for one in jobwords.timeline(job("placed", before)) if one.status == "now")
    assert (step.title, step.words) == ("Preparing", "building the environment, installing scipy")
    # What it was at before its start says nothing once it runs.
    started = attempt(state="running", claimed_at=T + 1, started_at=T + 5, preparing=building.what, stage=building)
    assert [name for name, status in steps(job("running", started)) if status == "now"] == ["Running"]
    storing = msgspec.structs.replace(started, stage=Stage("storing the results", T + 9))
    shown = jobwords.timeline(job("running", storing))
    assert [(one.title, one.status, one.took) for one in shown[-2:]] == [
        ("Ran", "done", 4.0),
        ("Storing the results", "now", None),
    ]
