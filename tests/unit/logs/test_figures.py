"""A record a minute of each node that reports, with the figures that it has."""

from __future__ import annotations

import logging

import pytest

from webfront.activity.term import Term
from webfront.database.models import Node
from webfront.logs.figures import tell_figures

METRICS = {"cpu_count": 4, "free_cpu_percent": 12.5, "free_memory_percent": 80.0, "temperature_c": None}


def node(name: str, state: str, metrics: object) -> None:
    Node.create(name=name, state=state, connection="ssh", address="10.0.0.7", slots=2, metrics=metrics, created_at=0)


def test_nodes_that_report_are_told_of(database: object, caplog: pytest.LogCaptureFixture) -> None:
    node("alpha", "active", METRICS)
    node("beta", "draining", METRICS | {"temperature_c": 61.0})
    node("silent", "suspect", METRICS)
    node("new", "active", None)
    with caplog.at_level(logging.INFO):
        assert tell_figures(Term(1)) == ""
    told = {
        vars(one)["skerry.node"]: vars(one) for one in caplog.records if vars(one).get("event.dataset") == "skerry.node"
    }
    assert set(told) == {"alpha", "beta"}
    alpha = told["alpha"]
    assert (alpha["skerry.free_cpu_percent"], alpha["skerry.temperature_c"], alpha["skerry.load_1m"]) == (
        12.5,
        None,
        None,
    )
    assert (alpha["skerry.slots"], alpha["skerry.running"], told["beta"]["skerry.temperature_c"]) == (2, 0, 61.0)
