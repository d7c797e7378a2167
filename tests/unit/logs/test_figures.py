"""Each node that reports, once a minute: how it stands, and a measurement of each figure that it has."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from webfront.activity.term import Term
from webfront.database.models import Node
from webfront.logs.figures import MEASURED, tell_figures
from wire.messages import Metrics

METRICS = {
    "cpu_count": 4, "free_cpu_percent": 12.5, "free_memory_percent": 80, "free_disk_gb": None, "temperature_c": None,
    "events_per_second": 5200.0,
}  # fmt: skip


def node(name: str, state: str, metrics: object) -> None:
    Node.create(
        name=name, state=state, connection="ssh", address="10.0.0.7", slots=2, metrics=metrics, created_at=0,
        registered_by="ada" if name == "alpha" else "",
    )  # fmt: skip


@pytest.fixture
def told(database: object, caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The records' own fields."""
    node("alpha", "active", METRICS)
    node("beta", "draining", METRICS | {"temperature_c": 61.0})
    node("silent", "suspect", METRICS)
    node("new", "active", None)
    with caplog.at_level(logging.INFO):
        assert tell_figures(Term(1)) == ""
    return [
        {name: value for name, value in vars(one).items() if "." in name and value is not None}
        for one in caplog.records
        if one.name == "webfront.logs.figures"
    ]


def test_how_nodes_that_report_stand_is_told(told: list[dict[str, Any]]) -> None:
    found = [one for one in told if one["event.dataset"] == "skerry.node"]
    assert found == [
        {
            "event.dataset": "skerry.node", "event.action": "node.measure", "skerry.node": name, "skerry.state": state,
            "skerry.slots": 2, "skerry.running": 0, "skerry.events_per_second": 5200.0,
        }
        for name, state in (("alpha", "active"), ("beta", "draining"))
    ]  # fmt: skip


def test_each_figure_is_one_measurement_and_what_a_node_cannot_tell_is_none(told: list[dict[str, Any]]) -> None:
    found = [one for one in told if one["event.dataset"] == "skerry.measurement"]
    expected = [
        ("alpha", "free_cpu_percent", 12.5, "%", "ada"),
        ("alpha", "free_memory_percent", 80.0, "%", "ada"),
        ("beta", "free_cpu_percent", 12.5, "%", None),
        ("beta", "free_memory_percent", 80.0, "%", None),
        ("beta", "temperature_c", 61.0, "°C", None),
    ]
    names = ("skerry.device", "skerry.field", "skerry.value", "skerry.unit", "skerry.owner")
    assert [tuple(one.get(name) for name in names) for one in found] == expected
    assert all(one["event.kind"] == "metric" and one["skerry.node"] == one["skerry.device"] for one in found)
    assert all(type(one["skerry.value"]) is float for one in found)
    assert len(told) == len(found) + 2


def test_what_is_measured_are_figures_of_a_heartbeat() -> None:
    assert set(MEASURED) <= set(Metrics.__struct_fields__)
