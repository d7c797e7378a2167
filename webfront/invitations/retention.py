"""Forgetting invitations: the secrets of one that has expired, and a month after its end the whole."""

from __future__ import annotations

from typing import Final

from webfront.activity.term import Term
from webfront.database.models import Invitation

_KEEP_S: Final = 30 * 24 * 3600.0


def forget_old_invitations(term: Term) -> str:
    """The chore. What has expired is refused whether or not this has run."""
    now = term.now()
    with term.transaction():
        expired = Invitation.sealed.is_null(False) & (Invitation.expires_at < now)
        Invitation.update(sealed=None).where(expired).execute()
    with term.transaction():
        removed = Invitation.delete().where(Invitation.expires_at < now - _KEEP_S).execute()
    return f"removed {removed} old invitations" if removed else ""
