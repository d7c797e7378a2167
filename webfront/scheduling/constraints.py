"""The hard constraints of a placement: a table, in the order in which a node is tried against them.

A constraint is one row: its name, whether a node fits now, whether it could ever fit (alive and idle: then waiting for
it makes sense), and its words. A node that cannot take a job is counted under the first row it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from webfront.fleet.states import NodeState
from webfront.scheduling.score import Score


class Demand(msgspec.Struct, frozen=True):
    """What a job asks of its node."""

    labels: tuple[str, ...] = ()
    arch: tuple[str, ...] = ()
    """Empty: any."""
    memory_mb: int = 0
    cpus: float = 1
    accelerator: str = ""
    excluded: tuple[str, ...] = ()
    """Names of nodes that lost or rejected an earlier attempt."""


class Candidate(msgspec.Struct, frozen=True):
    """A node as a placement sees it."""

    name: str
    state: NodeState
    labels: tuple[str, ...]
    arch: str
    slots: int
    live: int
    """Attempts placed, claimed or running on it."""
    room: int
    """How many attempts it may hold: its slots plus the backlog; less while it is being tried out again."""
    score: Score | None
    """None before its first heartbeat."""
    memory_gb: float = 0.0
    """All the memory it has, free or not."""
    agentless: bool = False
    """Plays give it its work."""
    aside: bool = False
    """It is there and set aside: it refuses for itself, or failed several jobs in a row."""


Fits = Callable[[Demand, Candidate], bool]


class Constraint(NamedTuple):
    name: str
    fits_now: Fits
    fits_ever: Fits
    words: Callable[[Demand, bool], str]
    """What the nodes that fail it do, after their names; the flag says that it is one node alone."""
    counted: str
    """What they are, after their number."""


def _is_active(demand: Demand, node: Candidate) -> bool:
    return node.state is NodeState.ACTIVE


def _has_labels(demand: Demand, node: Candidate) -> bool:
    return not demand.labels or set(demand.labels) <= set(node.labels)


def _has_architecture(demand: Demand, node: Candidate) -> bool:
    return not demand.arch or node.arch in demand.arch


def _has_accelerator(demand: Demand, node: Candidate) -> bool:
    return not demand.accelerator or demand.accelerator in node.labels


def _is_not_excluded(demand: Demand, node: Candidate) -> bool:
    return node.name not in demand.excluded


CONSTRAINTS: Final = (
    Constraint(
        "set_aside",
        lambda demand, node: not node.aside,
        lambda demand, node: not node.aside,
        lambda demand, one: f"{'is' if one else 'are'} set aside",
        "set aside",
    ),
    Constraint(
        # Active, and it has told its metrics. One that is set aside has been told of.
        "state",
        lambda demand, node: node.aside or (node.state is NodeState.ACTIVE and node.score is not None),
        _is_active,
        lambda demand, one: f"{'is' if one else 'are'} not active",
        "not active",
    ),
    Constraint(
        "labels",
        _has_labels,
        _has_labels,
        lambda demand, one: (
            f"{'lacks' if one else 'lack'} the label{'s' if len(demand.labels) > 1 else ''} {', '.join(demand.labels)}"
        ),
        "without a label it needs",
    ),
    Constraint(
        "architecture",
        _has_architecture,
        _has_architecture,
        lambda demand, one: f"{'is' if one else 'are'} not {' or '.join(demand.arch)}",
        "of another architecture",
    ),
    Constraint(
        # Fewer attempts are live on it than its slots plus the backlog.
        "slots",
        lambda demand, node: node.live < node.room,
        lambda demand, node: True,
        lambda demand, one: f"{'has' if one else 'have'} no free slot",
        "with no free slot",
    ),
    Constraint(
        # What is free, less what is placed and not visible yet.
        "memory",
        lambda demand, node: node.score is not None and demand.memory_mb / 1000 <= node.score.free_memory_gb,
        lambda demand, node: demand.memory_mb / 1000 <= node.memory_gb,
        lambda demand, one: f"{'has' if one else 'have'} less than {demand.memory_mb} MB of memory free",
        "with too little free memory",
    ),
    Constraint(
        # A node tells its accelerators as labels.
        "accelerator",
        _has_accelerator,
        _has_accelerator,
        lambda demand, one: f"{'has' if one else 'have'} no {demand.accelerator}",
        "without the accelerator",
    ),
    Constraint(
        # It has not lost or rejected an earlier attempt of this job.
        "excluded",
        _is_not_excluded,
        _is_not_excluded,
        lambda demand, one: f"lost or rejected {'an earlier attempt' if one else 'earlier attempts'}",
        "that lost or rejected it before",
    ),
)


def failed_constraint(demand: Demand, node: Candidate) -> str | None:
    """The first constraint this node fails, None when it could take the job now."""
    for constraint in CONSTRAINTS:
        if not constraint.fits_now(demand, node):
            return constraint.name
    return None


def could_ever_take(demand: Demand, node: Candidate) -> bool:
    """Whether the node, alive and idle, would fit this demand: if so, waiting for it makes sense."""
    return all(constraint.fits_ever(demand, node) for constraint in CONSTRAINTS)
