"""Asking for plays. The work itself is done by the plays process.

A play's row and its secrets come together: the secrets are handed to the plays process inside the transaction that
makes the row. If that fails, there is no play; if this process dies in between, the row was never there, and the plays
process forgets the secrets after a time limit.
"""

from __future__ import annotations

from pathlib import Path

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import Node, Play
from webfront.errors import Conflict
from webfront.fleet import rows
from webfront.fleet.queries import node_view
from webfront.fleet.states import NodeState, change_node
from webfront.fleet.validation import check_new_node, check_secrets
from webfront.fleet.views import NewNode, Secrets
from webfront.plays.queries import get_play, list_plays, play_view
from webfront.plays.secrets import hand_over, wake
from webfront.plays.states import PlayState
from webfront.plays.verbs import REGISTER, Verb
from webfront.plays.views import PlayView, Registration


class PlayService:
    def __init__(self, socket: Path, controller: str, clock: Clock = system_clock) -> None:
        """`socket` is that of the plays process on this controller."""
        self._socket = socket
        self._controller = controller
        self._clock = clock

    get = staticmethod(get_play)
    of_node = staticmethod(list_plays)

    def register(self, account: Account, new: NewNode) -> Registration:
        """Begin a registration: the rows, the secrets to the plays process. InvalidInput, Conflict, Unavailable."""
        new = check_new_node(new)
        if new.connection == "local":
            require(account, Act.REGISTER_CONTROLLER)
        with transaction():
            row = rows.begin(new, account.name, self._clock())
            if row is None:
                row = self._once_more(account, new)
            play = self._begin(account, row, REGISTER, new.secrets)
        wake(self._socket)
        return Registration(node_view(row), play)

    def begin(self, account: Account, name: str, verb: Verb, secrets: Secrets | None = None) -> PlayView:
        """Begin a play about a node that is there. NotFound, Forbidden, Unavailable; Conflict while another one runs,
        or where the node's state does not allow it."""
        secrets = check_secrets(secrets or Secrets())
        with transaction():
            row = rows.hold(name)
            require(account, Act.CHANGE_NODE, row)
            state = NodeState(row.state)
            if state is NodeState.REMOVED and state not in verb.asked_from:
                raise Conflict(f"{name} is removed already.")
            if state not in verb.asked_from:
                raise Conflict(f"{name} is {state}: it cannot be asked to {verb.name} now.")
            if verb.begun is not None and verb.begun.to is not None and state in verb.begun.sources:
                change_node(name, verb.begun.to, only_from=verb.begun.sources)
            play = self._begin(account, row, verb, secrets)
        wake(self._socket)
        return play

    def _once_more(self, account: Account, new: NewNode) -> Node:
        """The row of this name, which never came to life, with what is given now."""
        row = rows.hold(new.name)
        if row.state not in (NodeState.REGISTERING, NodeState.UNREGISTERED):
            raise Conflict(f"There is a node {new.name} already, and it is {row.state}. Choose another name.")
        require(account, Act.CHANGE_NODE, row)
        if row.state == NodeState.UNREGISTERED:
            change_node(new.name, NodeState.REGISTERING)
        return rows.renew(new, account.name)

    def _begin(self, account: Account, row: Node, verb: Verb, secrets: Secrets) -> PlayView:
        """Make the play. Runs in the caller's transaction, which holds the node's row."""
        rows.refuse_while_playing(row)
        play = Play.create(
            verb=verb.name,
            node=row.name,
            state=PlayState.QUEUED.value,
            controller=self._controller,
            has_secrets=not secrets.is_empty,
            requested_by=account.name,
            created_at=self._clock(),
        )
        deeds.tell(Kind(verb.action), user=account.name, node=row.name, play=play.id)
        hand_over(self._socket, play.id, secrets)
        return play_view(play)
