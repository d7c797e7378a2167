"""Removing what has expired. Only tidiness: what has expired is refused whether it is still there or not."""

from __future__ import annotations

from webfront.accounts.throttle import WINDOW_S
from webfront.activity.term import Term
from webfront.database.models import ApiToken, Session, SignInFailure


def remove_expired(term: Term) -> str:
    """The chore: sessions and tokens that have expired, and failed sign-ins that no longer count."""
    now = term.now()
    with term.transaction():
        removed = Session.delete().where(Session.expires_at < now).execute()
        removed += ApiToken.delete().where(ApiToken.expires_at < now).execute()
    with term.transaction():
        SignInFailure.delete().where(SignInFailure.at < now - WINDOW_S).execute()
    return f"removed {removed} expired sessions and tokens" if removed else ""
