"""The decision where a job goes: the hard constraints first, then the best score. Pure functions.

Of equal scores (a burst brings every score to 0) the node with the smaller share of its slots taken wins, then the
name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from webfront.scheduling.constraints import CONSTRAINTS, Candidate, Demand, failed_constraint
from webfront.scheduling.score import Score

RANKED: Final = 20
"""How many of the best nodes a placement keeps."""

_NAMED: Final = 3
"""How many nodes a sentence names for one constraint; of more, it gives the number."""


class Ranked(msgspec.Struct, frozen=True):
    """A node that could take the job, with the score it had."""

    node: str
    score: Score
    live: int
    slots: int
    agentless: bool = False
    """Plays give it its work, so that a job takes some seconds longer to begin."""


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
        if constraint is not None:
            failed.setdefault(constraint, []).append(node.name)
        elif node.score is not None:
            fitting.append(Ranked(node.name, node.score, node.live, node.slots, node.agentless))
    fitting.sort(key=lambda one: (-one.score.value, one.live / max(1, one.slots), one.node))
    return Placement(
        node=fitting[0].node if fitting else None,
        sentence=_won(fitting, failed, demand) if fitting else _nobody(failed, demand),
        ranking=tuple(fitting[:RANKED]),
        excluded={one.name: len(failed[one.name]) for one in CONSTRAINTS if one.name in failed},
        considered=len(nodes),
    )


def _won(fitting: Sequence[Ranked], failed: Mapping[str, list[str]], demand: Demand) -> str:
    winner = fitting[0]
    if len(fitting) == 1:
        if not failed:
            return f"{winner.node} won: it is the only node"
        return f"{winner.node} won: it is the only one that can take the job ({_exclusions(failed, demand)})"
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


def kept_decision(placement: Placement) -> str:
    """As an attempt's row keeps it: the ranking has a row of its own."""
    return msgspec.json.encode(msgspec.structs.replace(placement, ranking=())).decode()


def kept_ranking(placement: Placement) -> str:
    """The ranking, as `webfront.jobs.rankings` reads it."""
    nodes = [
        (one.node, one.live, one.slots, one.agentless, *msgspec.structs.astuple(one.score)) for one in placement.ranking
    ]
    return msgspec.json.encode(nodes).decode()


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
    return "; ".join(
        f"{_names(failed[one.name])} {one.words(demand, len(failed[one.name]) == 1)}"
        for one in CONSTRAINTS
        if one.name in failed
    )


def _names(nodes: Iterable[str]) -> str:
    named = sorted(nodes)
    if len(named) > _NAMED:
        return f"{len(named)} nodes"
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _ratio(best: float, other: float) -> float:
    return best / other if other > 0 else (float("inf") if best > 0 else 1.0)
