"""A node's row: made here and nowhere else, whether the web front or a playbook asks for it.

Every function runs in its caller's transaction.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from webfront.database.models import Node, Play
from webfront.errors import Conflict, NotFound
from webfront.fleet.states import NodeState, change_node, record_state
from webfront.fleet.views import NewNode


def find(name: str) -> Node:
    """The row. NotFound."""
    row: Node | None = Node.get_or_none(Node.name == name)
    if row is None:
        raise NotFound(f"There is no node {name[:40]}.")
    return row


def hold(name: str) -> Node:
    """The row, held until the transaction ends, so that of two requests the second sees what the first did."""
    Node.update(state=Node.state).where(Node.name == name).execute()
    return find(name)


def begin(new: NewNode, registered_by: str, now: float) -> Node | None:
    """A fresh row, or that of a removed node of this name begun anew; None where a node of this name stands.

    `new` is as `validation.check_machine` left it.
    """
    if Node.get_or_none(Node.name == new.name) is None:
        row: Node = Node.create(
            name=new.name, state=NodeState.REGISTERING.value, created_at=now, **_given(new, registered_by)
        )
        record_state(new.name, NodeState.REGISTERING)
        return row
    if not change_node(new.name, NodeState.REGISTERING, only_from=[NodeState.REMOVED]):
        return None
    forgotten = {"metrics": None, "score": None, "last_heartbeat_at": None} | dict.fromkeys(_SAID_OR_KEPT, "")
    told = {"agent_slots": None, "trial": False}
    Node.update(**_given(new, registered_by), **forgotten, **told).where(Node.name == new.name).execute()
    return find(new.name)


def renew(new: NewNode, registered_by: str) -> Node:
    """The row of this name with what is given now."""
    Node.update(**_given(new, registered_by)).where(Node.name == new.name).execute()
    return find(new.name)


def as_given(row: Node) -> NewNode:
    """What a registration would have to ask for to make the row as it is."""
    return NewNode(name=row.name, labels=tuple(row.labels), **{name: getattr(row, name) for name in _PLAIN})


def edition(row: Node) -> str:
    """A short name of what can be edited as it is now."""
    return hashlib.sha256(msgspec.json.encode([*(getattr(row, name) for name in _PLAIN), row.labels])).hexdigest()[:16]


def refuse_while_playing(row: Node) -> None:
    """Conflict while a play about the node has not ended."""
    play = Play.select().where((Play.node == row.name) & Play.finished_at.is_null()).first()
    if play is not None:
        raise Conflict(
            f"The play {play.id} ({play.verb}) about {row.name} is under way. Wait until it has ended.",
            detail={"play": play.id},
        )


_SAID_OR_KEPT: Final = ("arch", "agent_version", "broker_hash")
_PLAIN: Final = ("connection", "address", "ssh_port", "ssh_user", "host_key", "slots", "agentless", "joined")


def _given(new: NewNode, registered_by: str) -> dict[str, Any]:
    return {
        "connection": new.connection,
        "address": new.address,
        "ssh_port": new.ssh_port,
        "ssh_user": new.ssh_user,
        "host_key": new.host_key,
        "labels": list(new.labels),
        "slots": new.slots,
        "registered_by": registered_by,
        "machine": {} if new.agentless else None,
        "joined": new.joined,
    }
