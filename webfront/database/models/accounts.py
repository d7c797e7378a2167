"""Who uses the platform, and how they are signed in."""

from __future__ import annotations

import peewee

from webfront.database.models.base import Model


class User(Model):
    name = peewee.CharField(64, unique=True)
    password_hash = peewee.CharField(255)
    is_admin = peewee.BooleanField(default=False)
    created_at = peewee.DoubleField()


class Session(Model):
    """A signed-in browser. The cookie's token is kept only as its SHA-256."""

    token_hash = peewee.CharField(64, unique=True)
    user = peewee.ForeignKeyField(User, backref="sessions", on_delete="CASCADE")
    csrf_token = peewee.CharField(64)
    created_at = peewee.DoubleField()
    expires_at = peewee.DoubleField(index=True)


class ApiToken(Model):
    """A bearer token of the API and the CLI, kept only as its SHA-256."""

    token_hash = peewee.CharField(64, unique=True)
    user = peewee.ForeignKeyField(User, backref="api_tokens", on_delete="CASCADE")
    label = peewee.CharField(100, default="")
    created_at = peewee.DoubleField()
    expires_at = peewee.DoubleField(index=True)


class SignInFailure(Model):
    """One failed sign-in, for throttling by user name and by client address."""

    user_name = peewee.CharField(64, index=True)
    client = peewee.CharField(64, index=True)
    at = peewee.DoubleField(index=True)
