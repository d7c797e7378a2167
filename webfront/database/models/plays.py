"""Plays and their steps."""

from __future__ import annotations

import peewee

from webfront.database.models.base import Model


class Play(Model):
    """One ansible-runner run. Its secrets never come here."""

    id = peewee.AutoField()
    verb = peewee.CharField(16)
    """Of `webfront.plays.verbs`."""
    node = peewee.CharField(32, index=True)
    state = peewee.CharField(16, index=True)
    """`queued`, `running`, `succeeded`, `failed`."""
    requested_by = peewee.CharField(64)
    created_at = peewee.DoubleField()
    started_at = peewee.DoubleField(null=True)
    finished_at = peewee.DoubleField(null=True)
    failed_step = peewee.CharField(200, default="")
    message = peewee.TextField(default="")
    """What the failure means, in words."""
    advice = peewee.TextField(default="")
    """What to do about it."""
    controller = peewee.CharField(64, default="", constraints=[peewee.SQL("DEFAULT ''")])
    """The controller that was asked for it, or runs it; empty in rows from before there could be several."""
    has_secrets = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT 0")])
    """Whether it is to have secrets, which are in the memory of that controller's plays process alone."""
    stopped_by = peewee.CharField(64, default="", constraints=[peewee.SQL("DEFAULT ''")])
    """Who wishes it to stop, or has stopped it."""


class Controller(Model):
    """A controller whose plays process works, or did."""

    name = peewee.CharField(64, unique=True)
    beats = peewee.IntegerField()
    """Grows while it is there."""
    works = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT 0")])
    """It works for the nodes without an agent."""


class PlayEvent(Model):
    """One step of a play as it ran, in words."""

    play = peewee.ForeignKeyField(Play, backref="events", on_delete="CASCADE", index=False)
    number = peewee.IntegerField()
    at = peewee.DoubleField()
    step = peewee.CharField(300)
    state = peewee.CharField(16)
    """`running`, `ok`, `changed`, `skipped`, `failed`."""
    detail = peewee.TextField(default="")
    phase = peewee.CharField(16, default="", constraints=[peewee.SQL("DEFAULT ''")])
    """Of `webfront.plays.phases`; empty where its play has none."""

    class Meta:
        indexes = ((("play", "number"), True),)
