"""What an administrator has set anew, and what was removed by age: how far that is, what it freed, what is to go."""

from __future__ import annotations

import peewee

from webfront.database.models.base import Model


class Setting(Model):
    """A setting that differs from its default, of those that `webfront.changeable` lists."""

    name = peewee.CharField(64, unique=True)
    value = peewee.CharField(200)


class RetentionCursor(Model):
    """How far what removes things by their age has come: all up to here was looked at."""

    name = peewee.CharField(32, unique=True)
    at = peewee.DoubleField()
    """A job's end, or a fact's id."""
    job = peewee.CharField(26, default="")
    """Of the jobs that ended just then, the last one."""


class RetentionRun(Model):
    """What one run of the retention removed. What it was removed from points here, and so knows when and why."""

    what = peewee.CharField(32)
    days = peewee.IntegerField()
    """For how many days such things were kept when it ran."""
    at = peewee.DoubleField()
    count = peewee.BigIntegerField(default=0)
    bytes = peewee.BigIntegerField(default=0)
    """What it has freed so far: of what lies on the share, once it is gone from there."""


class Removal(Model):
    """A file or folder on the share that belongs to nothing any more, and is to go."""

    path = peewee.CharField(200, index=True)
    """Relative to the share."""
    what = peewee.CharField(32)
    due_at = peewee.DoubleField(index=True)
    claimed = peewee.BooleanField(default=False)
    """It is just being removed, and no more to be used."""
    run = peewee.BigIntegerField(null=True)
    """The `RetentionRun` that it is counted in."""
