"""The states of an invitation, what may follow what, and the one function that changes them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

from webfront.database.models import Invitation


class InvitationState(enum.StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    """A machine has presented the token, and waits for an administrator."""
    APPROVED = "approved"
    TAKEN = "taken"
    """The machine has what it joins with."""
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    """No row is in it: what was open, claimed or approved is, once its time is over."""


TRANSITIONS: Final[Mapping[InvitationState, frozenset[InvitationState]]] = {
    InvitationState.OPEN: frozenset({InvitationState.CLAIMED, InvitationState.REVOKED}),
    InvitationState.CLAIMED: frozenset(
        {InvitationState.OPEN, InvitationState.APPROVED, InvitationState.REFUSED, InvitationState.REVOKED}
    ),
    InvitationState.APPROVED: frozenset({InvitationState.TAKEN}),
}
"""The other states are ends."""

MORTAL: Final = frozenset({InvitationState.OPEN, InvitationState.CLAIMED, InvitationState.APPROVED})
"""What expires."""


def state_of(row: Invitation, now: float) -> InvitationState:
    """The state as it is now."""
    state = InvitationState(row.state)
    return InvitationState.EXPIRED if state in MORTAL and row.expires_at <= now else state


def change_invitation(row: Invitation, to: InvitationState, now: float, **fields: Any) -> bool:
    """Move an invitation that has not expired to another state, where its present one allows it.

    One conditional update, which also holds the machine to be the one that the row was read with: of two that happen at
    once, one finds nothing to change. In the caller's transaction.
    """
    sources = [state for state, following in TRANSITIONS.items() if to in following]
    same = (Invitation.id == row.id) & (Invitation.key_hash == row.key_hash)
    alive = Invitation.state.in_(sources) & (Invitation.expires_at > now)
    return bool(Invitation.update(state=to.value, **fields).where(same & alive).execute())
