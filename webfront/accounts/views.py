"""What the accounts service hands out. No secret but the fresh token that its owner is about to receive."""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct, frozen=True):
    """A user, as services and pages see one."""

    id: int
    name: str
    is_admin: bool


class NewSession(msgspec.Struct, frozen=True):
    """A session just begun. `token` goes into the cookie and nowhere else."""

    token: str
    account: Account
    csrf_token: str
    expires_at: float

    def __repr__(self) -> str:
        return f"NewSession(account={self.account!r})"


class SessionView(msgspec.Struct, frozen=True):
    """A session that holds."""

    account: Account
    csrf_token: str
    expires_at: float

    def __repr__(self) -> str:
        return f"SessionView(account={self.account!r})"


class NewToken(msgspec.Struct, frozen=True):
    """An API token just made, shown to its owner once."""

    token: str
    account: Account
    expires_at: float

    def __repr__(self) -> str:
        return f"NewToken(account={self.account!r})"
