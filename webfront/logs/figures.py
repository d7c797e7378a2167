"""Nodes as log records, once a minute: how a node was doing at a time is asked afterwards.

What a node has measured of itself are measurements, of which it is the device; its state, its slots, how many attempts
it runs and its benchmark's figure, which was measured at some time before, are a record of how it stands. No figure is
in both.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from webfront.activity.term import Term
from webfront.database.rows import rows
from webfront.fleet.states import NodeState
from webfront.jobs.states import AttemptState
from webfront.logs.measurements import Measurement, fields_of

_log = logging.getLogger(__name__)

DATASET: Final = "skerry.node"

MEASURED: Final[Mapping[str, str]] = {
    "free_cpu_percent": "%",
    "free_memory_percent": "%",
    "free_disk_gb": "GB",
    "load_1m": "",
    "temperature_c": "°C",
}
"""The fields of a heartbeat's figures that are told as measurements, and their units."""

_NODES: Final = (
    "SELECT name, state, slots, metrics, registered_by AS owner FROM node WHERE state IN (?*) AND metrics IS NOT NULL "
    "ORDER BY name"
)
_RUNNING: Final = "SELECT node, COUNT(*) AS attempts FROM attempt WHERE state = ? GROUP BY node"
_AT_WORK: Final = [NodeState.ACTIVE.value, NodeState.DRAINING.value, NodeState.DRAINED.value]
"""Who tells figures: those of a node that is suspect are of before."""


class _Node(NamedTuple):
    name: str
    state: str
    slots: int
    metrics: str
    owner: str


class _Running(NamedTuple):
    node: str
    attempts: int


def tell_figures(term: Term) -> str:
    """The chore: the records of each node that reports."""
    running = Counter({one.node: one.attempts for one in rows(_Running, _RUNNING, AttemptState.RUNNING.value)})
    for node in rows(_Node, _NODES, _AT_WORK):
        metrics = msgspec.json.decode(node.metrics)
        _tell_standing(node, running[node.name], metrics)
        for field, unit in MEASURED.items():
            if (value := metrics.get(field)) is not None:
                _tell(node, Measurement(node.name, field, value, unit, node.owner))
    return ""


def _tell_standing(node: _Node, running: int, metrics: Mapping[str, Any]) -> None:
    _log.info(
        "node %s: %d of %d slots taken",
        node.name,
        running,
        node.slots,
        extra={
            "event.dataset": DATASET,
            "event.action": "node.measure",
            "skerry.node": node.name,
            "skerry.state": node.state,
            "skerry.slots": node.slots,
            "skerry.running": running,
            "skerry.events_per_second": metrics.get("events_per_second"),
        },
    )


def _tell(node: _Node, one: Measurement) -> None:
    """Under the node's name too, so that whoever asks about the node finds it."""
    _log.info("%s: %s is %g", one.device, one.field, one.value, extra=fields_of(one) | {"skerry.node": node.name})
