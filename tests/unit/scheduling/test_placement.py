"""Who gets the job, who does not, and the words for both."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from webfront.fleet.states import NodeState
from webfront.scheduling.constraints import CONSTRAINTS, Candidate, Demand, could_ever_take, failed_constraint
from webfront.scheduling.placement import decide
from webfront.scheduling.score import Pending, score
from webfront.settings import ScoreSettings
from wire.messages import Metrics

METRICS = Metrics(
    cpu_count=4,
    free_cpu_percent=80.0,
    memory_gb=8.0,
    free_memory_gb=4.0,
    free_memory_percent=50.0,
    events_per_second=6000.0,
)


def node(name: str, pending: Pending = Pending(), **changes: Any) -> Candidate:  # noqa: B008  immutable
    figures = {key: value for key, value in changes.items() if key in Metrics.__struct_fields__}
    fields = {key: value for key, value in changes.items() if key not in figures}
    metrics = msgspec.structs.replace(METRICS, **figures)
    view = Candidate(
        name=name,
        state=NodeState.ACTIVE,
        labels=("gpu", "indoor"),
        arch="x86_64",
        slots=2,
        live=0,
        room=3,
        memory_gb=8.0,
        score=score(metrics, ScoreSettings(), pending),
    )
    return msgspec.structs.replace(view, **fields)


def test_the_best_score_wins_and_the_ranking_says_by_how_much() -> None:
    placement = decide(Demand(), [node("alpha", free_cpu_percent=12.0), node("beta")])
    assert placement.node == "beta"
    assert placement.sentence == "beta won: alpha has 12% of its CPU free, beta 80%"
    assert [one.node for one in placement.ranking] == ["beta", "alpha"]
    assert placement.ranking[0].score.value > placement.ranking[1].score.value > 0
    assert (placement.considered, placement.excluded) == (2, {})
    # It is kept as JSON with the attempt.
    assert msgspec.json.decode(msgspec.json.encode(placement))["ranking"][1]["score"]["free_cpu_percent"] == 12.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"free_memory_percent": 2.0}, "alpha has 2% of its memory free, beta 50%"),
        ({"events_per_second": 1500.0}, "it is faster (6000 events per second, alpha 1500)"),
        ({"events_per_second": None}, "alpha has not been measured yet"),
        ({"temperature_c": 90.0}, "alpha is hot (90 °C)"),
        ({"free_cpu_percent": 79.97}, "alpha has 79.97% of its CPU free, beta 80.00%"),
        ({"free_memory_gb": 0.6}, "alpha has 0.6 GB of memory free, beta 4.0 GB"),
        ({}, "it is as good as alpha, and has fewer jobs for its slots"),
    ],
)
def test_the_sentence_names_what_set_the_two_apart_most(changes: dict[str, Any], words: str) -> None:
    assert decide(Demand(), [node("alpha", live=1, **changes), node("beta")]).sentence == f"beta won: {words}"


@pytest.mark.parametrize(
    ("constraint", "demand", "changes", "words"),
    [
        ("state", Demand(), {"state": "suspect"}, "alpha is not active"),
        ("state", Demand(), {"score": None}, "alpha is not active"),
        ("set_aside", Demand(), {"state": NodeState.SUSPECT, "aside": True}, "alpha is set aside"),
        ("labels", Demand(labels=("gpu", "fast")), {}, "alpha lacks the labels gpu, fast"),
        ("architecture", Demand(arch=("aarch64", "armv7l")), {}, "alpha is not aarch64 or armv7l"),
        ("slots", Demand(), {"live": 3}, "alpha has no free slot"),
        ("memory", Demand(memory_mb=4001), {}, "alpha has less than 4001 MB of memory free"),
        ("accelerator", Demand(accelerator="tpu"), {}, "alpha has no tpu"),
        ("excluded", Demand(excluded=("alpha",)), {}, "alpha lost or rejected an earlier attempt"),
    ],
)
def test_each_constraint_excludes_counts_and_explains(
    constraint: str, demand: Demand, changes: dict[str, Any], words: str
) -> None:
    alpha = node("alpha", **changes)
    assert failed_constraint(demand, alpha) == constraint
    alone = decide(demand, [alpha])
    assert (alone.node, alone.ranking, alone.excluded) == (None, (), {constraint: 1})
    assert alone.sentence == f"no node can take it now: {words}"
    beta = node("beta", labels=("gpu", "fast", "tpu"), arch="aarch64", free_memory_gb=7.0)
    both = decide(demand, [alpha, beta])
    assert both.node == "beta"
    assert both.sentence == f"beta won: it is the only one that can take the job ({words})"


def test_a_node_counts_under_the_first_constraint_it_fails() -> None:
    demand = Demand(labels=("none",), arch=("none",), memory_mb=10**6, accelerator="none", excluded=("alpha",))
    alpha = node("alpha", state=NodeState.DEAD, aside=True, live=3)
    order = []
    for constraint in (one.name for one in CONSTRAINTS):
        found = failed_constraint(demand, alpha)
        order.append(found)
        assert found == constraint
        mended: dict[str, dict[str, Any]] = {
            "set_aside": {"aside": False},
            "state": {"state": NodeState.ACTIVE},
            "slots": {"live": 0},
        }
        alpha = msgspec.structs.replace(alpha, **mended.get(found, {}))
        relaxed = {"labels": (), "architecture": (), "memory": 0, "accelerator": "", "excluded": ()}
        fields = {"architecture": "arch", "memory": "memory_mb"}
        if found in relaxed:
            demand = msgspec.structs.replace(demand, **{fields.get(found, found): relaxed[found]})
    assert failed_constraint(demand, alpha) is None


def test_a_burst_spreads_by_the_share_of_slots_taken() -> None:
    live = {"alpha": 0, "beta": 0}
    slots = {"alpha": 2, "beta": 4}
    for _ in range(6):
        views = [
            node(name, Pending(live[name], live[name] * 4.0, 0.0), live=live[name], slots=slots[name], room=slots[name])
            for name in live
        ]
        chosen = decide(Demand(), views).node
        assert chosen is not None
        live[chosen] += 1
    assert live == slots


def test_only_the_best_twenty_are_kept() -> None:
    placement = decide(Demand(), [node(f"n{n:02}", free_cpu_percent=n + 1.0) for n in range(30)])
    assert [one.node for one in placement.ranking] == [f"n{n:02}" for n in range(29, 9, -1)]
    assert placement.considered == 30


def test_many_nodes_are_counted_not_named() -> None:
    full = [node(f"n{n}", live=3) for n in range(5)]
    lacking = [node(name, labels=()) for name in ("x", "y")]
    words = "no node can take it now: x and y lack the label gpu; 5 nodes have no free slot"
    assert decide(Demand(labels=("gpu",)), [*full, *lacking]).sentence == words
    assert decide(Demand(), []).sentence == "no node is registered"


def test_waiting_makes_sense_for_a_busy_node_not_for_one_that_lacks_something() -> None:
    assert could_ever_take(Demand(memory_mb=6000), node("alpha", live=3))
    assert not could_ever_take(Demand(memory_mb=9000), node("alpha"))
    assert not could_ever_take(Demand(labels=("fast",)), node("alpha"))
    assert not could_ever_take(Demand(excluded=("alpha",)), node("alpha"))
