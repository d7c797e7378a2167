"""Each node's place at the broker, kept: one that has lost its data is told of every node again, without a hand.

Nobody but the node has its password. The broker has the password's hash, and the chore notes that in the node's row;
by it the user of a node that the broker no longer knows is made anew, with its rights, queues and bindings, and the
agent's next try to connect succeeds. The platform's own user is the broker's to keep: without it nothing can sign in.

A node that is dismissed must not come back by this. `forget_admission` comes before its user goes, and the chore looks
again after it has made one: whichever of the two is first, the last of them removes the user. Everything else may be
cut off on any line and is done by the next run.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from webfront.activity.term import Term
from webfront.broker.admission import admitted, dismiss, password_hashes, renew
from webfront.broker.management import Management
from webfront.database.models import Node
from webfront.database.rows import change, rows, value
from webfront.fleet.states import NodeState
from webfront.settings import Settings

_log = logging.getLogger(__name__)

_NODES: Final = "SELECT name, state, broker_hash FROM node WHERE state <> ? ORDER BY name"
_NOTE: Final = "UPDATE node SET broker_hash = ? WHERE name = ? AND broker_hash = ? AND state <> ?"
_HASH: Final = "SELECT broker_hash FROM node WHERE name = ?"

_NOT_YET: Final = (NodeState.REGISTERING, NodeState.UNREGISTERED)
"""Such a node may not have been let in so far."""


class _NodeRow(NamedTuple):
    name: str
    state: str
    broker_hash: str


def keep_admitted(term: Term, *, settings: Settings) -> str:
    """The chore: note by what the broker knows each node, and let those in again that it has lost."""
    api = Management.of(settings)
    nodes = rows(_NodeRow, _NODES, NodeState.REMOVED)
    whole, hashes = admitted(api), password_hashes(api)
    renewed, unknown = [], []
    for node in nodes:
        found = hashes.get(node.name, "")
        if found and found != node.broker_hash:
            with term.transaction():
                change(_NOTE, found, node.name, node.broker_hash, NodeState.REMOVED)
        if node.name in whole:
            continue
        if found or node.broker_hash:
            renewed += [node.name] if _let_in(api, node.name, found or node.broker_hash) else []
        elif node.state not in _NOT_YET:
            unknown.append(node.name)
    if unknown:
        _log.error("the broker no longer knows %s, and no hash of a password is kept: register again", unknown)
    return f"the broker had lost {', '.join(renewed)}: let in again" if renewed else ""


def forget_admission(name: str) -> None:
    """Before the node is dismissed: the chore lets it in no more."""
    Node.update(broker_hash="").where(Node.name == name).execute()


def _let_in(api: Management, name: str, known_hash: str) -> bool:
    renew(api, name, known_hash)
    if value(_HASH, name):
        return True
    dismiss(api, name)
    return False
