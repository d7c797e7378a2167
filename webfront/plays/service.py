"""Asking for plays. The work itself is done by the plays process.

A play's row and its secrets come together: the secrets are handed to the plays process inside the transaction that
makes the row. If that fails, there is no play; if this process dies in between, the row was never there, and the plays
process forgets the secrets after a time limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import Node, Play
from webfront.errors import Conflict, InvalidInput, Unavailable
from webfront.fleet import rows
from webfront.fleet.queries import get_node, node_view
from webfront.fleet.states import NodeState, change_node
from webfront.fleet.validation import check_machine, check_new_node, check_secrets
from webfront.fleet.views import NewNode, Secrets
from webfront.plays import keys
from webfront.plays.failures import stopped
from webfront.plays.outcome import PlayFailed
from webfront.plays.queries import find_play, get_play, list_plays, play_view
from webfront.plays.rows import end_play, wish_stop
from webfront.plays.secrets import forget, hand_over, wake
from webfront.plays.states import PlayState
from webfront.plays.verbs import ADMIT, REGISTER, TEST, Verb
from webfront.plays.views import Edited, PlatformKey, PlayView, Registration

_ENDED: Final = {PlayState.SUCCEEDED: "succeeded", PlayState.FAILED: "failed", PlayState.STOPPED: "was stopped"}
_HERE_ALONE: Final = frozenset({"labels"})
"""What the platform alone goes by: a change of it needs nothing on the machine."""
_OF_ANY: Final = frozenset({"labels", "slots"})
"""What a node has that is the controller itself."""


class PlayService:
    def __init__(
        self, socket: Path, controller: str, clock: Clock = system_clock, *, state_dir: Path | None = None
    ) -> None:
        """`socket` is that of the plays process on this controller; the platform's key is in `state_dir`, by default
        beside it."""
        self._socket = socket
        self._controller = controller
        self._state_dir = state_dir or socket.parent
        self._clock = clock

    get = staticmethod(get_play)
    of_node = staticmethod(list_plays)

    def platform_key(self) -> PlatformKey:
        """The platform's public key. Unavailable where it cannot be made or read."""
        try:
            public = keys.public_half(keys.platform_key(self._state_dir)).read_text(encoding="utf-8").strip()
        except PlayFailed as error:
            raise Unavailable(error.failure.message, detail=error.failure.advice) from error
        except OSError as error:
            raise Unavailable("The platform's public key cannot be read.") from error
        return PlatformKey(public, keys.line_to_paste(public))

    def register(self, account: Account, new: NewNode, verb: Verb = REGISTER) -> Registration:
        """Begin a registration, or by the verb `test` only look at the machine: the rows, the secrets to the plays
        process. InvalidInput, Conflict, Unavailable."""
        new = check_new_node(new)
        if new.connection == "local":
            require(account, Act.REGISTER_CONTROLLER)
        with transaction():
            row = rows.begin(new, account.name, self._clock())
            if row is None:
                row = self._once_more(account, new)
            if verb is TEST:
                change_node(row.name, NodeState.UNREGISTERED, "its connection is being tested")
            play = self._begin(account, row, verb, new.secrets)
            row = rows.find(row.name)
        wake(self._socket)
        return Registration(node_view(row), play)

    def admit(self, account: Account, new: NewNode) -> Registration:
        """Begin to admit a machine that joins by itself, for the first time or once more. InvalidInput, Conflict,
        Unavailable."""
        require(account, Act.ADMINISTER)
        new = check_machine(new)
        with transaction():
            row = rows.begin(new, account.name, self._clock())
            if row is None:
                row = rows.hold(new.name)
                if not row.joined and row.state not in (NodeState.REGISTERING, NodeState.UNREGISTERED):
                    raise Conflict(f"There is a node {new.name} already, and it is {row.state}. Remove it first.")
                row = rows.renew(new, row.registered_by)
            play = self._ask(account, row, ADMIT, Secrets())
            row = rows.find(row.name)
        wake(self._socket)
        return Registration(node_view(row), play)

    def edit(
        self,
        account: Account,
        name: str,
        changes: Mapping[str, Any],
        *,
        secrets: Secrets | None = None,
        edition: str | None = None,
    ) -> Edited:
        """Change what a registration asked for: fields of `NewNode` by name, all but `name` and `connection`.

        Where the machine has to learn of it, or to be reached anew, the registration runs again in the same breath; a
        failed one does in any case. Errors as `register`; Conflict too where the node is no longer of this `edition`.
        """
        secrets = check_secrets(secrets or Secrets())
        with transaction():
            row = rows.hold(name)
            require(account, Act.CHANGE_NODE, row)
            if row.state == NodeState.REMOVED:
                raise Conflict(f"{name} is removed. Register the machine anew; its name may be the same.")
            if edition is not None and edition != rows.edition(row):
                raise Conflict(f"{name} was changed meanwhile. Look at it again, then repeat what you did.")
            rows.refuse_while_playing(row)
            before = rows.as_given(row)
            if row.connection == "local" and (strange := sorted(changes.keys() - _OF_ANY)):
                raise InvalidInput(
                    f"{name} is the controller itself: only its labels and slots can be changed.",
                    detail={"field": strange[0]},
                )
            if row.joined and (strange := sorted(changes.keys() - _HERE_ALONE)):
                raise InvalidInput(_not_reached(name), detail={"field": strange[0]})
            after = check_machine(msgspec.structs.replace(before, **changes))
            changed = [one for one in after.__struct_fields__ if getattr(after, one) != getattr(before, one)]
            if changed:
                known = row.machine
                row = rows.renew(after, row.registered_by)
                # What a machine without an agent is like is known until it is looked at again.
                Node.update(machine=known).where(Node.name == name).execute()
                deeds.tell(Kind.NODE_EDIT, user=account.name, node=name, data={"changed": ", ".join(changed)})
            play = None
            is_reached = not row.joined
            if is_reached and (
                set(changed) - _HERE_ALONE or not secrets.is_empty or row.state == NodeState.UNREGISTERED
            ):
                play = self._ask(account, row, REGISTER, secrets)
            view = get_node(name)
        if play is not None:
            wake(self._socket)
        return Edited(view, play)

    def begin(self, account: Account, name: str, verb: Verb, secrets: Secrets | None = None) -> PlayView:
        """Begin a play about a node that is there. NotFound, Forbidden, Unavailable; Conflict while another one runs,
        or where the node's state does not allow it."""
        secrets = check_secrets(secrets or Secrets())
        with transaction():
            row = rows.hold(name)
            require(account, Act.CHANGE_NODE, row)
            state = NodeState(row.state)
            if not verb.fits(joined=row.joined):
                raise Conflict(_not_reached(name) if row.joined else f"{name} is registered over SSH: do that again.")
            if state is NodeState.REMOVED and state not in verb.asked_from:
                raise Conflict(f"{name} is removed already.")
            if state not in verb.asked_from:
                raise Conflict(f"{name} is {state}: it cannot be asked to {verb.name} now.")
            play = self._ask(account, row, verb, secrets)
        wake(self._socket)
        return play

    def stop(self, account: Account, play_id: int) -> PlayView:
        """Stop a play: one that waits at once, one that runs within seconds. NotFound, Forbidden; Conflict when it has
        ended. Asked for twice it is the same."""
        with transaction():
            play = find_play(play_id)
            require(account, Act.CHANGE_NODE, rows.hold(play.node))
            is_first = wish_stop(play_id, account.name)
            play = find_play(play_id)
            if play.finished_at is not None:
                raise Conflict(f"Play {play_id} has ended already: it {_ENDED[play_view(play).state]}.")
            if play.state == PlayState.QUEUED:
                end_play(play_id, stopped(account.name), "", self._clock(), is_stopped=True)
            if is_first:
                deeds.tell(Kind.PLAY_STOP, user=account.name, node=play.node, play=play_id)
            view = play_view(find_play(play_id))
        if view.is_over:
            forget(self._socket, play_id)
        else:
            wake(self._socket)
        return view

    def _ask(self, account: Account, row: Node, verb: Verb, secrets: Secrets) -> PlayView:
        """What the verb means for the node when it is asked for, and its play. In the caller's transaction."""
        if verb.begun is not None and verb.begun.to is not None and row.state in verb.begun.sources:
            change_node(row.name, verb.begun.to, only_from=verb.begun.sources)
        return self._begin(account, row, verb, secrets)

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


def _not_reached(name: str) -> str:
    return (
        f"{name} has joined by itself, and nothing here reaches its machine: only its labels can be changed. Invite it "
        "again and run the line there, which brings it to this release and gives it its slots."
    )
