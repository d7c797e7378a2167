"""Nodes' figures as log records, once a minute: how a node was doing at a time is asked afterwards."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final, NamedTuple

import msgspec

from webfront.activity.term import Term
from webfront.database.rows import rows
from webfront.fleet.states import NodeState
from webfront.jobs.states import AttemptState

_log = logging.getLogger(__name__)

DATASET: Final = "skerry.node"

_FIGURES: Final = (
    "free_cpu_percent",
    "free_memory_percent",
    "free_disk_gb",
    "load_1m",
    "temperature_c",
    "events_per_second",
)
_NODES: Final = "SELECT name, state, slots, metrics FROM node WHERE state IN (?*) AND metrics IS NOT NULL ORDER BY name"
_RUNNING: Final = "SELECT node, COUNT(*) AS attempts FROM attempt WHERE state = ? GROUP BY node"
_AT_WORK: Final = [NodeState.ACTIVE.value, NodeState.DRAINING.value, NodeState.DRAINED.value]
"""Who tells figures: those of a node that is suspect are of before."""


class _Node(NamedTuple):
    name: str
    state: str
    slots: int
    metrics: str


class _Running(NamedTuple):
    node: str
    attempts: int


def tell_figures(term: Term) -> str:
    """The chore: a record of each node that reports."""
    running = Counter({one.node: one.attempts for one in rows(_Running, _RUNNING, AttemptState.RUNNING.value)})
    for node in rows(_Node, _NODES, _AT_WORK):
        metrics = msgspec.json.decode(node.metrics)
        told = {f"skerry.{name}": metrics.get(name) for name in _FIGURES}
        _log.info(
            "node %s: %d of %d slots taken",
            node.name,
            running[node.name],
            node.slots,
            extra=told
            | {
                "event.dataset": DATASET,
                "event.action": "node.measure",
                "skerry.node": node.name,
                "skerry.state": node.state,
                "skerry.slots": node.slots,
                "skerry.running": running[node.name],
            },
        )
    return ""
