"""What each node says to a job: every constraint that excludes it, in words. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from webfront.fleet.states import NodeState
from webfront.scheduling.constraints import CONSTRAINTS, Candidate, Constraint, Demand
from webfront.scheduling.entries import NodeEntry


class NodeAnswer(msgspec.Struct, frozen=True):
    """What is in the way of a node taking a job."""

    node: str
    fits: bool
    """It could take the job now."""
    constraints: tuple[str, ...]
    """The names of those that exclude it, all of them."""
    words: str
    """The same for a person, after the node's name ("has no free slot: it holds 3 jobs, as many as it may")."""
    full_since: float | None = None
    """Where it has no free slot: since when,"""
    free_by: float | None = None
    """and when one is free at the latest, since the job in it is ended then. None where none of them runs yet."""


class Work(NamedTuple):
    """An attempt live on a node."""

    placed_at: float
    ends_by: float | None
    """When it is ended for taking too long; None before its start."""


def answers(
    demand: Demand,
    nodes: Mapping[str, NodeEntry],
    views: Mapping[str, Candidate],
    work: Mapping[str, Sequence[Work]],
) -> tuple[NodeAnswer, ...]:
    """What each node says to this demand, those first that come nearest to taking it."""
    found = []
    for name, view in views.items():
        failed = [one for one in CONSTRAINTS if not one.fits_now(demand, view)]
        if view.score is None and len(failed) > 1:
            # Before its first heartbeat neither is known: that it has not been heard says all.
            failed = [one for one in failed if one.name not in ("memory", "architecture")]
        is_full = any(one.name == "slots" for one in failed)
        here = work.get(name, ()) if is_full else ()
        answer = NodeAnswer(
            node=name,
            fits=not failed,
            constraints=tuple(one.name for one in failed),
            words="; ".join(_words(one, demand, view, nodes[name]) for one in failed) or "can take it now",
            full_since=max((one.placed_at for one in here), default=None),
            free_by=min((one.ends_by for one in here if one.ends_by is not None), default=None),
        )
        lasting = sum(1 for one in CONSTRAINTS if not one.fits_ever(demand, view))
        found.append((bool(failed), lasting, name, answer))
    return tuple(answer for *_, answer in sorted(found, key=lambda one: one[:3]))


def _words(constraint: Constraint, demand: Demand, view: Candidate, node: NodeEntry) -> str:
    """What this node does that fails the constraint, more closely than a sentence about many nodes can say it."""
    match constraint.name:
        case "set_aside" if node.state_reason:
            return f"is {node.state_reason}"
        case "state" if view.state is NodeState.ACTIVE:
            return "has not told its figures yet"
        case "state":
            return f"is {view.state}: {node.state_reason}" if node.state_reason else f"is {view.state}"
        case "slots":
            held = "1 job" if view.live == 1 else f"{view.live} jobs"
            return f"{constraint.words(demand, True)}: it holds {held}, as many as it may"
        case "memory" if not constraint.fits_ever(demand, view):
            return f"has {view.memory_gb:.1f} GB of memory in all, and the job asks for {demand.memory_mb} MB"
        case "memory" if view.score is not None:
            return f"{constraint.words(demand, True)}: {view.score.free_memory_gb:.1f} GB"
    return constraint.words(demand, True)
