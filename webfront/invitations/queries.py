"""What pages and the API show of invitations, and how one is found by its token."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import msgspec

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.clock import Clock
from webfront.database.models import LARGEST_NUMBER, Invitation
from webfront.errors import Conflict, NotFound
from webfront.invitations.states import InvitationState, state_of
from webfront.invitations.views import InvitationView, Machine

_MOST_SHOWN: Final = 100


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def list_invitations(account: Account, clock: Clock) -> tuple[InvitationView, ...]:
    """The newest, newest first. Forbidden but for administrators."""
    require(account, Act.ADMINISTER)
    now = clock()
    return tuple(
        invitation_view(row, now) for row in Invitation.select().order_by(Invitation.id.desc()).limit(_MOST_SHOWN)
    )


def find_invitation(account: Account, invitation_id: int) -> Invitation:
    """The row. NotFound; Forbidden but for administrators."""
    require(account, Act.ADMINISTER)
    row = Invitation.get_or_none(Invitation.id == invitation_id) if invitation_id <= LARGEST_NUMBER else None
    if row is None:
        raise NotFound("There is no such invitation. One is forgotten a month after its end.")
    found: Invitation = row
    return found


def find_by_token(token: str) -> Invitation:
    """The row. NotFound, which says no more than that."""
    row: Invitation | None = Invitation.get_or_none(Invitation.token_hash == digest(token))
    if row is None:
        raise NotFound("This token is not known here. Copy the whole line again, or ask for a new invitation.")
    return row


def find_claimed(token: str, key: str, now: float) -> Invitation:
    """The row that the machine with this key has claimed. NotFound; Conflict says why it is of no use to it now.

    Whoever gets so far has the token, and learns of nothing but that.
    """
    row = find_by_token(token)
    refuse_ended(row, now)
    if not hmac.compare_digest(row.key_hash, digest(key)):
        raise _Ended("This token was used by another machine. It is of no use here: ask for an invitation of its own.")
    return row


def refuse_ended(row: Invitation, now: float) -> None:
    """Conflict, in words for the machine, where the invitation has come to an end that lets nobody in."""
    match state_of(row, now):
        case InvitationState.EXPIRED:
            raise _Ended("This invitation has expired. Ask for a new one.")
        case InvitationState.REVOKED:
            raise _Ended("This invitation was revoked. Ask for a new one.")
        case InvitationState.REFUSED:
            raise _Ended("An administrator has refused this machine. Ask for a new invitation if that was a mistake.")


class _Ended(Conflict):
    """The machine need not ask again."""

    code = "invitation_ended"


def machine_of(row: Invitation) -> Machine | None:
    return None if row.machine is None else msgspec.convert(row.machine, Machine)


def invitation_view(row: Invitation, now: float) -> InvitationView:
    return InvitationView(
        id=row.id,
        node=row.node,
        slots=row.slots,
        labels=tuple(row.labels),
        state=state_of(row, now),
        invited_by=row.invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        machine=machine_of(row),
        claimed_at=row.claimed_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
