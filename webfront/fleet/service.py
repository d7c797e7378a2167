"""Requests about nodes: register, drain, remove, activate, benchmark. The work itself is a play's.

A play's row and its secrets come together: the secrets are handed to the plays process inside the transaction that
makes the row. If that fails, there is no play; if this process dies in between, the row was never there, and the plays
process forgets the secrets after a time limit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import Node, Play
from webfront.errors import Conflict, Forbidden
from webfront.fleet.queries import find_node, get_node, get_play, list_nodes, list_plays, node_view, play_view
from webfront.fleet.states import NODE_TRANSITIONS, NodeState, change_node
from webfront.fleet.validation import check_new_node, check_secrets
from webfront.fleet.views import NewNode, NodeView, PlayProgress, PlayView, Registration, Secrets
from webfront.plays.secrets import hand_over, wake

_UNFINISHED: Final = ("queued", "running")


class FleetService:
    """Implements `webfront.web.services.Fleet`."""

    def __init__(self, plays_socket: Path, ask_benchmark: Callable[[str], None], clock: Clock = system_clock) -> None:
        """`ask_benchmark` sends a node the wish; it raises `BrokerUnavailable`."""
        self._socket = plays_socket
        self._ask_benchmark = ask_benchmark
        self._clock = clock

    def nodes(self) -> tuple[NodeView, ...]:
        return list_nodes()

    def node(self, name: str) -> NodeView:
        return get_node(name)

    def plays(self, node: str, *, limit: int = 10) -> tuple[PlayView, ...]:
        return list_plays(node, limit)

    def play(self, play_id: int, *, after: int = 0) -> PlayProgress:
        return get_play(play_id, after)

    def register(self, account: Account, wish: NewNode) -> Registration:
        wish = check_new_node(wish)
        if wish.connection == "local" and not account.is_admin:
            raise Forbidden("Only an administrator may register the controller itself as a node.")
        with transaction():
            row = self._row_for(account, wish)
            play = self._begin(account, row, "register", wish.secrets)
        wake(self._socket)
        return Registration(node_view(row), play)

    def register_again(self, account: Account, name: str, secrets: Secrets) -> PlayView:
        secrets = check_secrets(secrets)
        with transaction():
            row = self._locked(account, name)
            # A node that works keeps working while the play puts right what it finds; one that is away begins anew.
            if row.state in (NodeState.REMOVED, NodeState.DEAD):
                self._change(row, NodeState.REGISTERING)
            play = self._begin(account, row, "register", secrets)
        wake(self._socket)
        return play

    def drain(self, account: Account, name: str) -> PlayView:
        return self._request(account, name, "drain", NodeState.DRAINING)

    def remove(self, account: Account, name: str) -> PlayView:
        return self._request(account, name, "remove", NodeState.REMOVED)

    def activate(self, account: Account, name: str) -> NodeView:
        with transaction():
            row = self._locked(account, name)
            self._refuse_while_playing(row)
            sources = (NodeState.DRAINED, NodeState.DRAINING, NodeState.SUSPECT)
            if not change_node(row.name, NodeState.ACTIVE, f"activated by {account.name}", only_from=sources):
                raise Conflict(f"{row.name} is {row.state}; only a drained node, or one set aside, is activated.")
        return get_node(name)

    def benchmark(self, account: Account, name: str) -> NodeView:
        row = find_node(name)
        _check_owner(account, row)
        if row.state not in (NodeState.ACTIVE, NodeState.SUSPECT, NodeState.DRAINED, NodeState.DRAINING):
            raise Conflict(f"{row.name} is {row.state}: there is no agent to ask.")
        self._ask_benchmark(row.name)
        return get_node(name)

    def _request(self, account: Account, name: str, verb: str, to: NodeState) -> PlayView:
        with transaction():
            row = self._locked(account, name)
            if row.state != to and to not in NODE_TRANSITIONS[NodeState(row.state)]:
                raise Conflict(f"{row.name} is {row.state} and cannot be {to.value} from there.")
            if row.state == NodeState.REMOVED:
                raise Conflict(f"{row.name} is removed already.")
            play = self._begin(account, row, verb, Secrets())
        wake(self._socket)
        return play

    def _row_for(self, account: Account, wish: NewNode) -> Node:
        """A fresh row, or the row of this name where it may begin anew: removed, or never come to life."""
        fields: dict[str, Any] = {
            "connection": wish.connection,
            "address": wish.address,
            "ssh_port": wish.ssh_port,
            "ssh_user": wish.ssh_user,
            "host_key": wish.host_key,
            "labels": list(wish.labels),
            "slots": wish.slots,
            "registered_by": account.name,
        }
        if Node.get_or_none(Node.name == wish.name) is None:
            row: Node = Node.create(
                name=wish.name, state=NodeState.REGISTERING.value, created_at=self._clock(), **fields
            )
            return row
        Node.update(state=Node.state).where(Node.name == wish.name).execute()  # holds the row, as in `_locked`
        row = find_node(wish.name)
        if row.state not in (NodeState.REMOVED, NodeState.REGISTERING):
            raise Conflict(f"There is a node {wish.name} already, and it is {row.state}. Choose another name.")
        if row.state == NodeState.REGISTERING:
            _check_owner(account, row)
        else:
            self._change(row, NodeState.REGISTERING)
            fields |= {"metrics": None, "score": None, "last_heartbeat_at": None, "arch": "", "agent_version": ""}
        Node.update(**fields).where(Node.id == row.id).execute()
        return find_node(wish.name)

    def _locked(self, account: Account, name: str) -> Node:
        """The row, held until the transaction ends, so that two requests do not both begin a play."""
        Node.update(state=Node.state).where(Node.name == name).execute()
        row = find_node(name)
        _check_owner(account, row)
        return row

    def _change(self, row: Node, to: NodeState) -> None:
        if not change_node(row.name, to):
            raise Conflict(f"{row.name} is {row.state} and cannot be {to.value} from there.")

    def _begin(self, account: Account, row: Node, verb: str, secrets: Secrets) -> PlayView:
        """Make the play. Runs in the caller's transaction, which holds the node's row."""
        self._refuse_while_playing(row)
        play = Play.create(
            verb=verb, node=row.name, state="queued", requested_by=account.name, created_at=self._clock()
        )
        hand_over(self._socket, play.id, secrets)
        return play_view(play)

    def _refuse_while_playing(self, row: Node) -> None:
        running = Play.select().where((Play.node == row.name) & Play.state.in_(_UNFINISHED)).first()
        if running is not None:
            raise Conflict(
                f"The play {running.id} ({running.verb}) about {row.name} is under way. Wait until it has ended.",
                detail={"play": running.id},
            )


def _check_owner(account: Account, row: Node) -> None:
    if not account.is_admin and row.registered_by != account.name:
        raise Forbidden(f"{row.name} was registered by somebody else.")
