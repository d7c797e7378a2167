"""The decision where a job goes: hard constraints first, then the best score. Pure functions.

The constraints, in this order; a node is counted under the first one it fails:

    state         it is active and has told its metrics
    labels        it has every label the job needs
    architecture  its architecture is one of those the job needs
    slots         fewer attempts are live on it than its slots plus the backlog
    memory        its free memory, less what is placed but not visible yet, is what the job asks for
    accelerator   it has the accelerator the job asks for, told by a label of that name
    excluded      it has not lost or rejected an earlier attempt of this job

Of equal scores (a burst brings every score to 0) the node with the smaller share of its slots taken wins, then the
name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from webfront.fleet.states import NodeState
from webfront.scheduling.score import Score

RANKED: Final = 20
"""How many of the best nodes a placement keeps."""

CONSTRAINTS: Final = ("state", "labels", "architecture", "slots", "memory", "accelerator", "excluded")

_NAMED: Final = 3
"""How many nodes a sentence names for one constraint; of more, it gives the number."""


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
    state: str
    labels: tuple[str, ...]
    arch: str
    slots: int
    live: int
    """Attempts placed, claimed or running on it."""
    room: int
    """How many attempts it may hold: its slots plus the backlog; less while it is being tried out again."""
    score: Score | None
    """None before its first heartbeat."""


class Ranked(msgspec.Struct, frozen=True):
    """A node that could take the job, with the score it had."""

    node: str
    score: Score
    live: int
    slots: int


class Placement(msgspec.Struct, frozen=True):
    """A decision and what led to it; kept with the attempt."""

    node: str | None
    """The chosen node, None when no node can take the job now."""
    sentence: str
    """Why, for a person: "beta won: alpha has 12% of its CPU free, beta 90%"."""
    ranking: tuple[Ranked, ...]
    """The best twenty, best first."""
    excluded: dict[str, int]
    """How many nodes each constraint excluded."""
    considered: int
    """How many nodes there were."""


def decide(demand: Demand, nodes: Sequence[Candidate]) -> Placement:
    """The best node for this demand, or why there is none."""
    fitting: list[Ranked] = []
    failed: dict[str, list[str]] = {}
    for node in nodes:
        constraint = failed_constraint(demand, node)
        if constraint is None and node.score is not None:
            fitting.append(Ranked(node.name, node.score, node.live, node.slots))
        else:
            failed.setdefault(constraint or "state", []).append(node.name)
    fitting.sort(key=lambda one: (-one.score.value, one.live / max(1, one.slots), one.node))
    return Placement(
        node=fitting[0].node if fitting else None,
        sentence=_won(fitting, failed, demand) if fitting else _nobody(failed, demand),
        ranking=tuple(fitting[:RANKED]),
        excluded={name: len(failed[name]) for name in CONSTRAINTS if name in failed},
        considered=len(nodes),
    )


def failed_constraint(demand: Demand, node: Candidate) -> str | None:
    """The first constraint this node fails, None when it could take the job now."""
    if node.state != NodeState.ACTIVE or node.score is None:
        return "state"
    if demand.labels and not set(demand.labels) <= set(node.labels):
        return "labels"
    if demand.arch and node.arch not in demand.arch:
        return "architecture"
    if node.live >= node.room:
        return "slots"
    if demand.memory_mb / 1000 > node.score.free_memory_gb:
        return "memory"
    if demand.accelerator and demand.accelerator not in node.labels:
        return "accelerator"
    if node.name in demand.excluded:
        return "excluded"
    return None


def could_ever_take(demand: Demand, node: Candidate, memory_gb: float) -> bool:
    """Whether the node, alive and idle, would fit this demand: if so, waiting for it makes sense.

    `memory_gb` is all the memory the node has.
    """
    return (
        node.state == NodeState.ACTIVE
        and set(demand.labels) <= set(node.labels)
        and (not demand.arch or node.arch in demand.arch)
        and demand.memory_mb / 1000 <= memory_gb
        and (not demand.accelerator or demand.accelerator in node.labels)
        and node.name not in demand.excluded
    )


def _won(fitting: Sequence[Ranked], failed: Mapping[str, list[str]], demand: Demand) -> str:
    winner = fitting[0]
    if len(fitting) == 1:
        others = _exclusions(failed, demand)
        if not others:
            return f"{winner.node} won: it is the only node"
        return f"{winner.node} won: it is the only one that can take the job ({others})"
    return f"{winner.node} won: {_difference(winner, fitting[1])}"


def _difference(winner: Ranked, second: Ranked) -> str:
    """What set the two apart most, in words."""
    best, other = winner.score, second.score
    if best.value - other.value <= 1e-9:
        return f"it is as good as {second.node}, and has fewer jobs for its slots"
    cpu = _ratio(best.free_cpu_percent, other.free_cpu_percent)
    memory = _ratio(best.free_memory_percent, other.free_memory_percent)
    # The weights of the load's formula, by which each of the two has moved the score.
    parts = {
        "cpu": cpu**0.75,
        "memory": memory**0.25,
        "performance": _ratio(best.performance, other.performance),
        "temperature": _ratio(best.temperature_factor, other.temperature_factor),
    }
    match max(parts, key=lambda name: parts[name]):
        case "cpu":
            less, more = _told_apart(other.free_cpu_percent, best.free_cpu_percent)
            return f"{second.node} has {less}% of its CPU free, {winner.node} {more}%"
        case "memory":
            less, more = _told_apart(other.free_memory_percent, best.free_memory_percent)
            return f"{second.node} has {less}% of its memory free, {winner.node} {more}%"
        case "temperature":
            return f"{second.node} is hot ({other.temperature_c:.0f} °C)"
    if other.events_per_second is None and best.events_per_second is not None:
        return f"{second.node} has not been measured yet"
    if (best.events_per_second or 0) > (other.events_per_second or 0):
        less, more = _told_apart(other.events_per_second or 0, best.events_per_second or 0)
        return f"it is faster ({more} events per second, {second.node} {less})"
    less, more = _told_apart(other.free_memory_gb, best.free_memory_gb, digits=1)
    return f"{second.node} has {less} GB of memory free, {winner.node} {more} GB"


def _told_apart(one: float, other: float, digits: int = 0) -> tuple[str, str]:
    """Both in figures, with as many digits as it takes to see that they differ; four at most."""
    while digits < 4 and f"{one:.{digits}f}" == f"{other:.{digits}f}":
        digits += 1
    return f"{one:.{digits}f}", f"{other:.{digits}f}"


def _nobody(failed: Mapping[str, list[str]], demand: Demand) -> str:
    if not failed:
        return "no node is registered"
    return f"no node can take it now: {_exclusions(failed, demand)}"


def _exclusions(failed: Mapping[str, list[str]], demand: Demand) -> str:
    return "; ".join(_excluded(name, failed[name], demand) for name in CONSTRAINTS if name in failed)


def _excluded(constraint: str, nodes: Sequence[str], demand: Demand) -> str:
    one = len(nodes) == 1
    is_, has, lacks = ("is", "has", "lacks") if one else ("are", "have", "lack")
    words = {
        "state": f"{is_} not active",
        "labels": f"{lacks} the label{'s' if len(demand.labels) > 1 else ''} {', '.join(demand.labels)}",
        "architecture": f"{is_} not {' or '.join(demand.arch)}",
        "slots": f"{has} no free slot",
        "memory": f"{has} less than {demand.memory_mb} MB of memory free",
        "accelerator": f"{has} no {demand.accelerator}",
        "excluded": f"lost or rejected {'an earlier attempt' if one else 'earlier attempts'}",
    }
    return f"{_names(nodes)} {words[constraint]}"


def _names(nodes: Iterable[str]) -> str:
    named = sorted(nodes)
    if len(named) > _NAMED:
        return f"{len(named)} nodes"
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _ratio(best: float, other: float) -> float:
    return best / other if other > 0 else (float("inf") if best > 0 else 1.0)
