"""Signing in and out, sessions and API tokens. Tokens are random; the database keeps their SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final, NamedTuple

from webfront.accounts import passwords
from webfront.accounts.throttle import Throttle
from webfront.accounts.users import account_of, find_user
from webfront.accounts.views import Account, NewSession, NewToken, SessionView
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import ApiToken, Session, User
from webfront.database.rows import rows
from webfront.errors import NotSignedIn

SESSION_IDLE_S: Final = 12 * 3600.0
"""A session ends after this long without a request,"""
SESSION_LONGEST_S: Final = 7 * 24 * 3600.0
"""and in any case this long after the sign-in."""
TOKEN_S: Final = 90 * 24 * 3600.0
# Asked with each request of a program, hence in SQL of our own: to build the statement would cost more than to run it.
_BEARER: Final = (
    "SELECT u.id, u.name, u.is_admin FROM api_token t JOIN `user` u ON u.id = t.user_id "
    "WHERE t.token_hash = ? AND t.expires_at > ?"
)
_RENEW_EVERY_S: Final = 300.0
"""So that a page that polls does not write a row with each request."""


class _BearerRow(NamedTuple):
    id: int
    name: str
    is_admin: int


class AccountService:
    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._throttle = Throttle(clock)

    def sign_in(self, name: str, password: str, *, client: str) -> NewSession:
        """Begin a session. NotSignedIn (the same for a wrong name and a wrong password) or Throttled."""
        user = self._prove(name, password, client)
        now = self._clock()
        token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with transaction():
            Session.create(
                token_hash=_hash(token),
                user=user,
                csrf_token=csrf_token,
                created_at=now,
                expires_at=now + SESSION_IDLE_S,
            )
            deeds.tell(Kind.SESSION_BEGIN, user=user.name)
        return NewSession(token, account_of(user), csrf_token, now + SESSION_IDLE_S)

    def sign_out(self, token: str) -> None:
        """End the session of this cookie; a token that is none changes nothing."""
        with transaction():
            if Session.delete().where(Session.token_hash == _hash(token)).execute():
                deeds.tell(Kind.SESSION_END)

    def session(self, token: str) -> SessionView | None:
        """The session of this cookie while it holds; looking renews it, up to its bound."""
        now = self._clock()
        found = (
            Session.select(Session, User)
            .join(User)
            .where((Session.token_hash == _hash(token)) & (Session.expires_at > now))
            .first()
        )
        if found is None:
            return None
        renewed = min(now + SESSION_IDLE_S, found.created_at + SESSION_LONGEST_S)
        if renewed - found.expires_at > _RENEW_EVERY_S:
            with transaction():
                Session.update(expires_at=renewed).where(Session.id == found.id).execute()
            found.expires_at = renewed
        return SessionView(account_of(found.user), found.csrf_token, found.expires_at)

    def issue_token(self, name: str, password: str, *, client: str, label: str = "") -> NewToken:
        """Make an API token. NotSignedIn or Throttled, as `sign_in`."""
        user = self._prove(name, password, client)
        now = self._clock()
        # The prefix lets a secret scanner recognise one that got where it should not be.
        token = f"skerry_{secrets.token_urlsafe(32)}"
        with transaction():
            ApiToken.create(
                token_hash=_hash(token), user=user, label=label[:100], created_at=now, expires_at=now + TOKEN_S
            )
            deeds.tell(Kind.TOKEN_ISSUE, user=user.name, data={"label": label})
        return NewToken(token, account_of(user), now + TOKEN_S)

    def bearer(self, token: str) -> Account | None:
        """Whose API token this is, while it holds."""
        for row in rows(_BearerRow, _BEARER, _hash(token), self._clock()):
            return Account(row.id, row.name, bool(row.is_admin))
        return None

    def revoke_token(self, token: str) -> None:
        """End this API token."""
        with transaction():
            if ApiToken.delete().where(ApiToken.token_hash == _hash(token)).execute():
                deeds.tell(Kind.TOKEN_REVOKE)

    def _prove(self, name: str, password: str, client: str) -> User:
        self._throttle.count(name, client)
        user = find_user(name)
        if not passwords.verify(user.password_hash if user else None, password) or user is None:
            if user is not None:
                # Whose account it was about; a name that nobody has is not kept, since it may be a password.
                deeds.belongs_to(user.name)
            raise NotSignedIn("The name or the password is wrong.")
        if passwords.is_outdated(user.password_hash):
            renewed = passwords.hash_password(password)
            with transaction():
                User.update(password_hash=renewed).where(User.id == user.id).execute()
        self._throttle.forgive(name, client)
        return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
