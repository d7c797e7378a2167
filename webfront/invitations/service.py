"""Invitations, from the token to the machine that has joined.

An administrator makes one; the machine claims it with a key of its own, by which alone it is known from then on; an
administrator approves the machine that shows the same code; the play `admit` admits it at the broker and seals what it
gets; the machine fetches that, keeps it on its disk, and says so, whereupon it is wiped here. Each step is one
conditional update in one transaction. Killed between two of them, either side asks again and is told the same: until
the machine has said that it keeps what it got, it may fetch it once more, with its key.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from typing import BinaryIO, Final

import msgspec

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import Invitation, Node
from webfront.errors import Conflict, InvalidInput, NotFound
from webfront.fleet.states import NodeState
from webfront.fleet.validation import check_machine
from webfront.fleet.views import NewNode
from webfront.invitations import offers
from webfront.invitations.program import Program
from webfront.invitations.queries import (
    digest,
    find_by_token,
    find_claimed,
    find_invitation,
    invitation_view,
    list_invitations,
    machine_of,
    refuse_ended,
)
from webfront.invitations.states import InvitationState, change_invitation
from webfront.invitations.views import InvitationView, Invited, Machine, NewInvitation, Offer, Standing
from webfront.plays.service import PlayService
from webfront.plays.states import PlayState
from webfront.plays.verbs import ADMIT
from webfront.plays.views import Registration
from webfront.secretbox import SecretBox
from webfront.settings import Settings
from webfront.share import open_inside

_LONGEST_HOURS: Final = 24 * 7
_SHORTEST_KEY: Final = 32
_FETCH_S: Final = 3600.0
"""How long an approved machine may take to fetch what it gets, at least."""


class InvitationService:
    def __init__(self, settings: Settings, plays: PlayService, clock: Clock = system_clock) -> None:
        self._box = SecretBox(settings.secrets_key_file)
        self._packages = settings.share_dir
        self._plays = plays
        self._clock = clock
        self.program = Program(settings.project_dir)

    # What administrators do.

    def list(self, account: Account) -> tuple[InvitationView, ...]:
        return list_invitations(account, self._clock)

    def asking(self, account: Account) -> tuple[InvitationView, ...]:
        """Those whose machines wait for an administrator."""
        return tuple(one for one in self.list(account) if one.state is InvitationState.CLAIMED)

    def get(self, account: Account, invitation_id: int) -> InvitationView:
        return invitation_view(find_invitation(account, invitation_id), self._clock())

    def invite(self, account: Account, new: NewInvitation) -> Invited:
        """Make an invitation. InvalidInput; Conflict where the name is that of a node which did not join by itself."""
        require(account, Act.ADMINISTER)
        if not 0 < new.hours <= _LONGEST_HOURS:
            raise InvalidInput(f"It holds for up to {_LONGEST_HOURS} hours.", detail={"field": "hours"})
        checked = check_machine(NewNode(new.node, "ssh", labels=new.labels, slots=new.slots, joined=True))
        # The prefix lets a secret scanner recognise one, and keeps it from looking like an option.
        token, now = f"skerry_join_{secrets.token_urlsafe(24)}", self._clock()
        with transaction():
            row = Node.get_or_none(Node.name == checked.name)
            if row is not None and not row.joined and row.state not in (NodeState.REMOVED, NodeState.UNREGISTERED):
                raise Conflict(
                    f"There is a node {checked.name} already, and it is {row.state}. Choose another name.",
                    detail={"field": "node"},
                )
            made = Invitation.create(
                token_hash=digest(token),
                node=checked.name,
                slots=checked.slots,
                labels=list(checked.labels),
                state=InvitationState.OPEN.value,
                invited_by=account.name,
                created_at=now,
                expires_at=now + new.hours * 3600,
            )
            deeds.tell(Kind.INVITATION_CREATE, user=account.name, node=made.node)
        return Invited(invitation_view(made, now), token)

    def revoke(self, account: Account, invitation_id: int) -> InvitationView:
        """Make its token worthless. Conflict once a machine was approved: then there is a node to remove."""
        return self._end(account, invitation_id, InvitationState.REVOKED, Kind.INVITATION_REVOKE)

    def refuse(self, account: Account, invitation_id: int) -> InvitationView:
        """Refuse the machine that has claimed it, for good. Conflict where none has."""
        return self._end(account, invitation_id, InvitationState.REFUSED, Kind.INVITATION_REFUSE)

    def approve(self, account: Account, invitation_id: int, code: str) -> Registration:
        """Admit the machine that shows this code. Conflict where another one asks by now, or none."""
        with transaction():
            row, now = find_invitation(account, invitation_id), self._clock()
            machine = machine_of(row)
            if machine is None or machine.code != code.strip().upper():
                raise Conflict("No machine with this code asks to join. Look at the invitation again.")
            until = max(row.expires_at, now + _FETCH_S)
            decided = {"decided_by": account.name, "decided_at": now, "expires_at": until}
            if not change_invitation(row, InvitationState.APPROVED, now, **decided):
                raise Conflict(f"The invitation is {invitation_view(row, now).state}: nothing can be approved.")
            new = NewNode(
                row.node, "ssh", address=machine.addresses[0], labels=tuple(row.labels), slots=row.slots, joined=True
            )
            return self._plays.admit(account, new)

    def _end(self, account: Account, invitation_id: int, to: InvitationState, kind: Kind) -> InvitationView:
        now = self._clock()
        with transaction():
            row = find_invitation(account, invitation_id)
            decided = {"decided_by": account.name, "decided_at": now, "sealed": None}
            if not change_invitation(row, to, now, **decided):
                raise Conflict(f"The invitation is {invitation_view(row, now).state} already.")
            deeds.tell(kind, user=account.name, node=row.node)
        return self.get(account, invitation_id)

    # What the machine does.

    def claim(self, token: str, key: str, machine: Machine, password: str = "") -> Standing:
        """Ask to join. The first machine that does so has the invitation; asked again by it, it is the same.

        `password` is the broker's that the machine has already as this node. InvalidInput, NotFound, Conflict.
        """
        if not _SHORTEST_KEY <= len(key) <= 200:
            raise InvalidInput(f"The machine's key has {_SHORTEST_KEY} to 200 characters.")
        _check_addresses(machine.addresses)
        now = self._clock()
        with transaction():
            row = find_by_token(token)
            refuse_ended(row, now)
            if row.state == InvitationState.TAKEN and machine.was == row.node and row.key_hash != digest(key):
                raise Conflict(f"This machine has joined as {row.node} already.")
            if row.state != InvitationState.OPEN:
                find_claimed(token, key, now)
                deeds.told(Kind.INVITATION_CLAIM)  # the first time
            else:
                if machine.was not in ("", row.node):
                    raise Conflict(
                        f"This machine is the node {machine.was} already, and the invitation is for {row.node}. Ask "
                        "for another one, or take the platform off the machine first."
                    )
                told = {
                    "key_hash": digest(key),
                    "machine": msgspec.to_builtins(machine),
                    "claimed_at": now,
                    "sealed": self._box.seal(password) if password and machine.was else None,
                }
                if not change_invitation(row, InvitationState.CLAIMED, now, **told):
                    raise Conflict("Another machine was faster with this token.")
                deeds.tell(Kind.INVITATION_CLAIM, node=row.node, data={"host": machine.host})
        return self.standing(token, key)

    def standing(self, token: str, key: str) -> Standing:
        """Where the machine stands. NotFound, Conflict."""
        now = self._clock()
        row = find_claimed(token, key, now)
        state = InvitationState(row.state)
        node = Node.get_or_none(Node.name == row.node) if state in _DECIDED else None
        if node is not None and (node.state == NodeState.REMOVED or not node.joined):
            raise Conflict(f"{row.node} was removed from the platform meanwhile. Ask for a new invitation.")
        is_ready = state is InvitationState.APPROVED and self._offer(row) is not None
        words = "It waits for an administrator's approval."
        if state is InvitationState.TAKEN:
            words = "The machine has what it joins with."
        elif is_ready:
            words = "It is admitted."
        elif state is InvitationState.APPROVED:
            words = self._admission(row.node)
        return Standing(state, row.node, None if node is None else NodeState(node.state), words, is_ready, now)

    def offer(self, token: str, key: str) -> Offer:
        """What the machine joins with. NotFound, Conflict; Conflict too before it is there, and once it was taken."""
        row = find_claimed(token, key, self._clock())
        found = self._offer(row)
        if found is None:
            raise Conflict(f"There is nothing to fetch: the invitation is {row.state}.")
        return found

    def package(self, token: str, key: str, name: str) -> BinaryIO:
        """An archive that the offer names. NotFound, Conflict."""
        if name not in self.offer(token, key).packages.values():
            raise NotFound("There is no such archive for this machine.")
        return open_inside(self._packages, offers.FOLDER, name)

    def take(self, token: str, key: str) -> Standing:
        """The machine keeps what it got: it is wiped here. Said again it is the same."""
        with transaction():
            row = find_claimed(token, key, self._clock())
            if row.state == InvitationState.TAKEN:
                deeds.told(Kind.INVITATION_TAKE)  # the first time
            else:
                if self._offer(row) is None or not change_invitation(
                    row, InvitationState.TAKEN, self._clock(), sealed=None
                ):
                    raise Conflict(f"There was nothing to take: the invitation is {row.state}.")
                deeds.tell(Kind.INVITATION_TAKE, node=row.node)
        return self.standing(token, key)

    def withdraw(self, token: str, key: str) -> None:
        """Ask no more: the invitation is open again. Conflict once it was approved."""
        with transaction():
            row, now = find_claimed(token, key, self._clock()), self._clock()
            forgotten = {"key_hash": "", "machine": None, "claimed_at": None, "sealed": None}
            if not change_invitation(row, InvitationState.OPEN, now, **forgotten):
                raise Conflict(f"The invitation is {row.state}: it is too late to withdraw. Have the node removed.")
            host = (row.machine or {}).get("host", "")
            deeds.tell(Kind.INVITATION_WITHDRAW, node=row.node, data={"host": host})

    def _offer(self, row: Invitation) -> Offer | None:
        return offers.open_offer(self._box, row)

    def _admission(self, node: str) -> str:
        """How its play stands, in words."""
        play = next((one for one in self._plays.of_node(node) if one.verb == ADMIT.name), None)
        if play is not None and play.state in (PlayState.FAILED, PlayState.STOPPED):
            return f"The platform could not admit it: {play.message.rstrip('.')}. An administrator can admit it again."
        return "It is approved, and is being admitted."


def _check_addresses(addresses: Iterable[str]) -> None:
    """The share is exported to them: each is one machine's."""
    for address in addresses:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            found = None
        if found is None or found.is_unspecified or found.is_multicast or found.is_loopback:
            raise InvalidInput(f"{address} is no address of a machine beside this one.")


_DECIDED: Final = frozenset({InvitationState.APPROVED, InvitationState.TAKEN})
