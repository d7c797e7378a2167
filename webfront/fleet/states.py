"""The states of nodes, what may follow what, and the one function that changes them.

A change is a single conditional update, which holds against a scheduler, a play and a person working at the same time,
and the fact that tells of it, in one transaction.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.database.connection import transaction
from webfront.database.models import Node
from webfront.fleet.refusing import Told, stored

REASON_LENGTH: Final = 500
"""How many characters `state_reason` holds."""


SET_ASIDE: Final = "set aside"
"""So the reason of a suspect node begins that gets no work until it, or a trial, shows that it can be relied on."""


class NodeState(enum.StrEnum):
    REGISTERING = "registering"
    UNREGISTERED = "unregistered"
    """The play that was to make it a node has failed."""
    ACTIVE = "active"
    SUSPECT = "suspect"
    DRAINING = "draining"
    DRAINED = "drained"
    DEAD = "dead"
    REMOVED = "removed"


NODE_TRANSITIONS: Final[Mapping[NodeState, frozenset[NodeState]]] = {
    NodeState.REGISTERING: frozenset({NodeState.UNREGISTERED, NodeState.ACTIVE, NodeState.DRAINING, NodeState.REMOVED}),
    # An agent that was installed before the play failed may still be heard.
    NodeState.UNREGISTERED: frozenset({NodeState.REGISTERING, NodeState.ACTIVE, NodeState.REMOVED}),
    NodeState.ACTIVE: frozenset(
        {NodeState.SUSPECT, NodeState.DEAD, NodeState.DRAINING, NodeState.REGISTERING, NodeState.REMOVED}
    ),
    NodeState.SUSPECT: frozenset(
        {NodeState.ACTIVE, NodeState.DEAD, NodeState.DRAINING, NodeState.REGISTERING, NodeState.REMOVED}
    ),
    NodeState.DRAINING: frozenset({NodeState.DRAINED, NodeState.ACTIVE, NodeState.REGISTERING, NodeState.REMOVED}),
    NodeState.DRAINED: frozenset({NodeState.ACTIVE, NodeState.DRAINING, NodeState.REGISTERING, NodeState.REMOVED}),
    NodeState.DEAD: frozenset({NodeState.ACTIVE, NodeState.DRAINING, NodeState.REGISTERING, NodeState.REMOVED}),
    NodeState.REMOVED: frozenset({NodeState.REGISTERING}),
}


ACTIVATED_FROM: Final = (NodeState.DRAINED, NodeState.DRAINING, NodeState.SUSPECT)
"""Where a person may give a node work again."""

MEASURED_IN: Final = (NodeState.ACTIVE, NodeState.SUSPECT, NodeState.DRAINED, NodeState.DRAINING)
"""Where there is an agent to ask for a benchmark."""


def change_node(
    name: str,
    to: NodeState,
    reason: str = "",
    *,
    only_from: Iterable[NodeState] | None = None,
    refusals: Sequence[Told] = (),
) -> bool:
    """Move a node to another state, if its present state allows that (and is one of `only_from`, where given).

    `reason` says why, in words for the node's page; `refusals`, what the node itself refuses. Taking work again
    forgets the failures that set a node aside, and any change what it has refused before. One
    conditional update: of two that happen at once, each sees what the other left. In a transaction of its own, or the
    caller's.
    """
    sources = [state for state, following in NODE_TRANSITIONS.items() if to in following]
    if only_from is not None:
        chosen = set(only_from)
        sources = [state for state in sources if state in chosen]
    fields: dict[str, Any] = {"state": to.value, "state_reason": reason[:REASON_LENGTH], "refusals": stored(refusals)}
    if to is NodeState.ACTIVE:
        fields["consecutive_failures"] = 0
    with transaction():
        changed = bool(Node.update(**fields).where(Node.name == name, Node.state.in_(sources)).execute())
        if changed:
            record_state(name, to, reason)
    return changed


def record_state(name: str, state: NodeState, reason: str = "") -> None:
    """Record that the node is in this state now, within the caller's transaction."""
    deeds.tell(Kind.NODE_STATE, node=name, data={"state": state.value, "reason": reason})


def note_refusals(name: str, reason: str, refusals: Sequence[Told]) -> bool:
    """A suspect node refuses for another reason, or for none of its own any more."""
    with transaction():
        changed = bool(
            Node.update(state_reason=reason[:REASON_LENGTH], refusals=stored(refusals))
            .where(Node.name == name, Node.state == NodeState.SUSPECT)
            .execute()
        )
        if changed:
            record_state(name, NodeState.SUSPECT, reason)
    return changed


def note_reason(name: str, reason: str, *, only_from: Iterable[NodeState]) -> None:
    """Say why the node is as it is, in words for its page; its state stays. Only while it is in one of these states."""
    sources = [state.value for state in only_from]
    Node.update(state_reason=reason[:REASON_LENGTH]).where(Node.name == name, Node.state.in_(sources)).execute()
