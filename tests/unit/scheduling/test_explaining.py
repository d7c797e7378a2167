"""Each situation of a job: its sentence, what it waits for, until when; and what each node says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from webfront.fleet.states import NodeState
from webfront.jobs.states import AttemptState, JobState
from webfront.jobs.views import AttemptView, JobView, Stage
from webfront.scheduling.answers import Work, answers
from webfront.scheduling.constraints import CONSTRAINTS, Candidate, Demand
from webfront.scheduling.entries import NodeEntry
from webfront.scheduling.explaining import DECISION_OVERDUE_S, SITUATIONS, explain
from webfront.scheduling.explanation import Facts, Situation
from webfront.scheduling.score import score
from webfront.scheduling.turn import CLAIM_OVERDUE_S
from webfront.settings import ScoreSettings
from wire.messages import Metrics

NOW = 10_000.0
METRICS = Metrics(cpu_count=4, free_cpu_percent=80, memory_gb=8, free_memory_gb=4, free_memory_percent=50)
JOB = JobView(
    id="J",
    app="digits",
    version="a" * 64,
    user="ada",
    state=JobState.QUEUED,
    cause=None,
    message="",
    waiting_reason="",
    cancel_requested=False,
    submitted_at=NOW - 40,
    finished_at=None,
    parameters={},
    input=None,
)
ATTEMPT = AttemptView(
    number=1,
    node="alpha",
    state=AttemptState.PLACED,
    placement={},
    placed_at=NOW - 30,
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
BUILDING = Stage("building the environment", NOW - 20, "installing scipy", NOW + 3000)


def candidate(name: str = "alpha", **changes: Any) -> Candidate:
    view = Candidate(name, NodeState.ACTIVE, ("gpu",), "x86_64", 2, 0, 3, score(METRICS, ScoreSettings()), 8.0)
    return msgspec.structs.replace(view, **changes)


def entry(view: Candidate, heard_at: float | None = NOW - 2, reason: str = "") -> NodeEntry:
    return NodeEntry(view.name, view.state, reason, view.labels, view.slots, view.arch, METRICS, 0, heard_at)


def facts(*views: Candidate, job: JobView = JOB, **changes: Any) -> Facts:
    made: dict[str, Any] = {
        "now": NOW,
        "job": job,
        "demand": Demand(),
        "timeout_s": 300.0,
        "nodes": {one.name: entry(one) for one in views},
        "views": {one.name: one for one in views},
        "work": {},
        "published_at": NOW - 10,
        "looked_at": NOW - 1,
        "connected": True,
        "suspect_s": 15.0,
        "dead_s": 45.0,
    }
    return Facts(**(made | changes))


def live(state: str = "placed", *, job: dict[str, Any] | None = None, **attempt: Any) -> JobView:
    made = msgspec.structs.replace(ATTEMPT, state=AttemptState(state), **attempt)
    of = JobState.RUNNING if state == "running" else JobState.PLACED
    return msgspec.structs.replace(JOB, state=of, attempts=(made,), **(job or {}))


def silent(seconds: float, state: NodeState) -> dict[str, NodeEntry]:
    return {"alpha": entry(candidate(state=state), NOW - seconds)}


FULL = {"alpha": [Work(NOW - 90, NOW + 210), Work(NOW - 60, NOW + 240), Work(NOW - 50, None)]}
CLAIMED: dict[str, Any] = {"claimed_at": NOW - 25}
STARTED: dict[str, Any] = CLAIMED | {"started_at": NOW - 15}

TABLE: tuple[tuple[Situation, Facts, str, float | None, float | None], ...] = (
    (
        Situation.ENDED,
        facts(job=msgspec.structs.replace(JOB, state=JobState.FAILED, message="exit code 3", finished_at=NOW - 5)),
        "It failed: exit code 3.",
        NOW - 5,
        None,
    ),
    (
        Situation.ENDED,
        facts(job=msgspec.structs.replace(JOB, state=JobState.CANCELLED, finished_at=NOW - 5)),
        "It was cancelled.",
        NOW - 5,
        None,
    ),
    (
        Situation.BLOCKED,
        facts(candidate(), looked_at=NOW - 6, trouble="the broker blocks: its disk is full", trouble_at=NOW - 30),
        "The broker blocks: its disk is full.",
        NOW - 30,
        None,
    ),
    (
        Situation.UNDECIDED,
        facts(candidate(), looked_at=NOW - 6),
        "No scheduler decides at present: none is at work, or it cannot use the broker or the database.",
        NOW - 6,
        None,
    ),
    (
        # What it decided before the job came says nothing of it.
        Situation.UNDECIDED,
        facts(candidate(), looked_at=NOW - 9000, connected=False),
        "No scheduler decides at present: the broker cannot be reached.",
        NOW - 40,
        None,
    ),
    (Situation.NO_NODE, facts(), "No node is registered.", NOW - 40, None),
    (
        Situation.NOWHERE,
        facts(candidate(), candidate("beta", state=NodeState.DEAD), demand=Demand(labels=("tpu",))),
        "No node there is could ever take it, however idle.",
        NOW - 40,
        None,
    ),
    (
        # One that is dead, or lacks what the job asks for, is no way out.
        Situation.SET_ASIDE,
        facts(
            candidate(state=NodeState.SUSPECT, aside=True),
            candidate("beta", state=NodeState.DEAD),
            candidate("gamma", labels=()),
            demand=Demand(labels=("gpu",)),
            nodes={
                "alpha": entry(
                    candidate(state=NodeState.SUSPECT),
                    reason="set aside: it has no space left on its disk (3 MB are free below /srv)",
                ),
                "beta": entry(candidate("beta", state=NodeState.DEAD)),
                "gamma": entry(candidate("gamma")),
            },
        ),
        "Every node that could take it is set aside: alpha (it has no space left on its disk (3 MB are free below "
        "/srv)).",
        NOW - 40,
        None,
    ),
    (
        Situation.NO_ROOM,
        facts(candidate(state=NodeState.SUSPECT, aside=True), candidate("beta", live=3), work=FULL),
        "No node can take it now: alpha is set aside; beta has no free slot.",
        NOW - 40,
        None,
    ),
    (
        Situation.NO_ROOM,
        facts(candidate(live=3), candidate("beta", labels=()), demand=Demand(labels=("gpu",)), work=FULL),
        "No node can take it now: beta lacks the label gpu; alpha has no free slot.",
        NOW - 40,
        NOW + 210,
    ),
    (
        Situation.NO_ROOM,
        facts(candidate(state=NodeState.DRAINING)),
        "No node can take it now: alpha is not active.",
        NOW - 40,
        None,
    ),
    (
        # Nothing is known of it yet that would speak against it.
        Situation.NO_ROOM,
        facts(
            candidate(state=NodeState.REGISTERING, score=None, memory_gb=0.0, arch=""),
            demand=Demand(memory_mb=512, arch=("x86_64",)),
        ),
        "No node can take it now: alpha is not active.",
        NOW - 40,
        None,
    ),
    (
        Situation.NEXT,
        facts(candidate(), looked_at=NOW - 2),
        "alpha can take it, and the next decision places it there.",
        NOW - 40,
        NOW - 2 + DECISION_OVERDUE_S,
    ),
    (
        Situation.NEXT,
        facts(candidate(), before=3),
        "alpha can take it, and it is placed as soon as the jobs before it are.",
        NOW - 40,
        NOW - 1 + DECISION_OVERDUE_S,
    ),
    (
        Situation.UNHEARD,
        facts(candidate(), job=live("running", **STARTED), nodes=silent(21, NodeState.ACTIVE)),
        "No scheduler hears alpha or any other node at present.",
        NOW - 21,
        None,
    ),
    (
        Situation.SILENT,
        facts(candidate(), job=live("running", **STARTED), nodes=silent(21, NodeState.SUSPECT)),
        "alpha has not been heard for a while.",
        NOW - 21,
        NOW + 24,
    ),
    (
        Situation.STOPPING,
        facts(candidate(), job=live("running", job={"cancel_requested": True}, **STARTED)),
        "It is being cancelled: alpha ends it.",
        None,
        None,
    ),
    (
        Situation.UNSENT,
        facts(candidate(), job=live(), published_at=None),
        "It is placed on alpha, and the broker has not confirmed the order yet.",
        NOW - 30,
        None,
    ),
    (
        Situation.UNCLAIMED,
        facts(candidate(), job=live()),
        "It is on its way to alpha, which has not claimed it yet.",
        NOW - 10,
        NOW - 10 + CLAIM_OVERDUE_S,
    ),
    (
        Situation.PREPARING,
        facts(candidate(), job=live("claimed", stage=BUILDING, **CLAIMED), work=FULL),
        "alpha makes it ready: building the environment.",
        NOW - 20,
        NOW + 3000,
    ),
    (
        # As an agent of 0.1.0 tells it.
        Situation.PREPARING,
        facts(candidate(), job=live("claimed", stage=Stage("installing requirements", NOW - 20), **CLAIMED)),
        "alpha makes it ready: installing requirements.",
        NOW - 20,
        None,
    ),
    (
        Situation.BEHIND,
        facts(candidate(live=3), job=live("claimed", **CLAIMED), work=FULL),
        "alpha has it, and begins with it as soon as a slot there is free.",
        NOW - 25,
        NOW + 210,
    ),
    (
        Situation.CLAIMED,
        facts(candidate(live=1), job=live("claimed", **CLAIMED), work={"alpha": [Work(NOW - 30, None)]}),
        "alpha has it and is about to start it.",
        NOW - 25,
        None,
    ),
    (
        # What it was at before its process is over since then.
        Situation.RUNNING,
        facts(candidate(), job=live("running", stage=BUILDING, **STARTED)),
        "It runs on alpha.",
        NOW - 15,
        NOW + 285,
    ),
    (
        Situation.STORING,
        facts(candidate(), job=live("running", stage=Stage("storing the results", NOW - 3), **STARTED)),
        "Its process has ended, and alpha is storing the results.",
        NOW - 3,
        None,
    ),
)


@pytest.mark.parametrize(("situation", "given", "sentence", "since", "until"), TABLE)
def test_each_situation_has_its_sentence_and_its_times(
    situation: Situation, given: Facts, sentence: str, since: float | None, until: float | None
) -> None:
    found = explain(given)
    assert (found.situation, found.sentence, found.since, found.until) == (situation, sentence, since, until)
    # No state without a deadline, or words for what ends it.
    assert found.then
    assert bool(found.waits_for) == (situation is not Situation.ENDED)
    assert (found.stage is not None) == (situation in (Situation.PREPARING, Situation.STORING))
    assert bool(found.nodes) == (given.job.state is JobState.QUEUED and bool(given.views))


def test_every_situation_is_told_and_tried() -> None:
    assert sorted(rule.situation for rule in SITUATIONS) == sorted(Situation)
    assert {situation for situation, *_ in TABLE} == set(Situation)


def test_the_page_for_operators_names_every_situation() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/operating.md").read_text(encoding="utf-8")
    table = page.partition("## Why a job waits")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted(Situation)


def test_a_node_names_every_constraint_that_excludes_it() -> None:
    demand = Demand(labels=("gpu", "fast"), arch=("aarch64",), memory_mb=9000, accelerator="tpu", excluded=("alpha",))
    view = candidate(state=NodeState.SUSPECT, live=3)
    (answer,) = answers(demand, {"alpha": entry(view, reason="no heartbeat for 19 s")}, {"alpha": view}, FULL)
    # Either it is set aside, or it is not active for another reason.
    assert answer.constraints == tuple(one.name for one in CONSTRAINTS if one.name != "set_aside")
    assert answer.words.split("; ") == [
        "is suspect: no heartbeat for 19 s",
        "lacks the labels gpu, fast",
        "is not aarch64",
        "has no free slot: it holds 3 jobs, as many as it may",
        "has 8.0 GB of memory in all, and the job asks for 9000 MB",
        "has no tpu",
        "lost or rejected an earlier attempt",
    ]
    assert (answer.fits, answer.full_since, answer.free_by) == (False, NOW - 50, NOW + 210)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "can take it now"),
        ({"score": None}, "has not told its figures yet"),
        ({"state": NodeState.DRAINED}, "is drained"),
        ({"state": NodeState.SUSPECT, "aside": True}, "is set aside"),
        ({"live": 1, "room": 1}, "has no free slot: it holds 1 job, as many as it may"),
        (
            {"score": score(msgspec.structs.replace(METRICS, free_memory_gb=0.3), ScoreSettings())},
            "has less than 512 MB of memory free: 0.3 GB",
        ),
    ],
)
def test_a_nodes_words_say_how_it_stands(changes: dict[str, Any], words: str) -> None:
    view = candidate(**changes)
    (answer,) = answers(Demand(memory_mb=512), {"alpha": entry(view)}, {"alpha": view}, {})
    assert (answer.words, answer.fits) == (words, words == "can take it now")


def test_those_that_come_nearest_to_taking_it_are_first() -> None:
    views = {
        one.name: one
        for one in (
            candidate("lacking", labels=()),
            candidate("full", live=3),
            candidate("free"),
            candidate("dead", state=NodeState.DEAD, labels=()),
        )
    }
    nodes = {name: entry(view) for name, view in views.items()}
    found = answers(Demand(labels=("gpu",)), nodes, views, {})
    assert [one.node for one in found] == ["free", "full", "lacking", "dead"]
