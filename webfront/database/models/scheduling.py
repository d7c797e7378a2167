"""Which scheduler works, and when it last looked at what waits."""

from __future__ import annotations

import peewee

from webfront.database.models.base import Model


class Leadership(Model):
    """One row: which scheduler works. Each takeover raises `epoch`; a transaction of an older epoch is refused."""

    epoch = peewee.IntegerField(default=0)
    holder = peewee.CharField(100, default="")
    since = peewee.DoubleField(default=0.0)


class Look(Model):
    """One row: when the scheduler last decided about the jobs that wait. Written while there are some."""

    at = peewee.DoubleField()
