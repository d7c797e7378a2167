"""The apps and their versions."""

from __future__ import annotations

import peewee

from webfront.database.models.accounts import User
from webfront.database.models.base import JsonField, Model


class App(Model):
    name = peewee.CharField(64, unique=True)
    owner = peewee.ForeignKeyField(User, backref="apps")
    owner_id: int
    created_at = peewee.DoubleField()

    @property
    def owned_by(self) -> int:
        return self.owner_id


class AppVersion(Model):
    """An immutable version of an app, named by the SHA-256 of its content. Files: `apps/<hash>/` on the share."""

    app = peewee.ForeignKeyField(App, backref="versions", on_delete="CASCADE", index=False)
    app_id: int
    hash = peewee.CharField(64)
    manifest = JsonField()
    size = peewee.BigIntegerField()
    uploaded_at = peewee.DoubleField()
    deleted_at = peewee.DoubleField(null=True)
    """It can be run no more; the row stays as long as jobs name it."""

    class Meta:
        indexes = ((("app", "hash"), True),)
