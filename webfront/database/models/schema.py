"""What the schema records of itself. See `webfront.database.schema`."""

from __future__ import annotations

import peewee

from webfront.database.models.base import Model


class SchemaVersion(Model):
    """One row. Release 0.1.0 runs on 1 alone, and every later release on any number up to its own."""

    number = peewee.IntegerField()
    """The number of the oldest code that can run on this database."""


class SchemaStep(Model):
    """A step that was applied, to its end."""

    number = peewee.IntegerField(primary_key=True)
    name = peewee.CharField(64)
    """Its module's, `0001_first_release`."""
    oldest_code = peewee.IntegerField()
    applied_at = peewee.DoubleField()
