"""Facts, and what has come of them: how far consumers are, and when chores ran."""

from __future__ import annotations

import peewee

from webfront.database.models.base import JsonField, Model


class Fact(Model):
    """Something that has happened and that others may care about: a deed of a person, or a change of the platform.

    Written in the transaction of the change itself, and never changed but for its `batch`. Names stand here as they
    were then, empty where they do not apply; no secret, and nothing long.
    """

    id = peewee.BigAutoField()
    batch = peewee.BigIntegerField(null=True, index=True)
    """Its place in the order in which consumers read; None until the leading scheduler has numbered it."""
    at = peewee.DoubleField(index=True)
    kind = peewee.CharField(32)
    """`webfront.activity.facts.Kind`."""
    outcome = peewee.CharField(8)
    """`success` or `failure`."""
    user = peewee.CharField(64, default="")
    controller = peewee.CharField(64, default="")
    """Where a deed came in: the route's module, without `webfront.`."""
    node = peewee.CharField(32, default="")
    app = peewee.CharField(64, default="")
    job = peewee.CharField(26, default="")
    attempt = peewee.IntegerField(null=True)
    play = peewee.IntegerField(null=True)
    data = JsonField(null=True)


class Consumer(Model):
    """How far a consumer of facts has come."""

    name = peewee.CharField(64, unique=True)
    batch = peewee.BigIntegerField()
    """The last batch that it has had."""
    failing_since = peewee.DoubleField(null=True)
    error = peewee.CharField(500, default="")
    tries = peewee.IntegerField(default=0)
    """How often the next batch has failed."""
    next_try_at = peewee.DoubleField(null=True)


class Chore(Model):
    """The last run of a chore, and when the next one is due."""

    name = peewee.CharField(64, unique=True)
    last_at = peewee.DoubleField()
    took_s = peewee.DoubleField()
    told = peewee.CharField(500, default="")
    """What it did, in words."""
    failing_since = peewee.DoubleField(null=True)
    error = peewee.CharField(500, default="")
    next_at = peewee.DoubleField()
