"""Users: making one, finding one. `skerry-admin init` makes the first."""

from __future__ import annotations

import re
from typing import Final

import peewee

from webfront.accounts.passwords import hash_password
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import User
from webfront.errors import Conflict, InvalidInput

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,63}")


def create_user(name: str, password: str, *, is_admin: bool = False, clock: Clock = system_clock) -> Account:
    """Make a user. InvalidInput for a name or password that cannot be one; Conflict when the name is taken."""
    if not _NAME.fullmatch(name):
        raise InvalidInput("A user's name begins with a letter and has up to 64 of a-z, 0-9, dot, underscore, hyphen.")
    password_hash = hash_password(password)
    try:
        with transaction():
            user = User.create(name=name, password_hash=password_hash, is_admin=is_admin, created_at=clock())
            deeds.tell(Kind.USER_CREATE, user=name, data={"is_admin": is_admin})
    except peewee.IntegrityError as error:
        raise Conflict(f"There is a user {name} already.") from error
    return account_of(user)


def find_user(name: str) -> User | None:
    found: User | None = User.get_or_none(User.name == name)
    return found


def account_of(user: User) -> Account:
    return Account(id=user.id, name=user.name, is_admin=user.is_admin)
