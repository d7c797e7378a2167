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
    """One row: when the scheduler last decided about the jobs that wait, written while there are some; and what keeps
    the broker from working, as far as the scheduler knows."""

    at = peewee.DoubleField()
    trouble = peewee.CharField(200, default="", constraints=[peewee.SQL("DEFAULT ''")])
    """"the broker blocks: its disk is full"; empty while there is none."""
    trouble_at = peewee.DoubleField(null=True)
    """When that began."""
