"""A write that says nothing but that it was possible."""

from __future__ import annotations

import peewee

from webfront.database.models.base import Model


class Probe(Model):
    """A controller's last one."""

    controller = peewee.CharField(64, unique=True)
    at = peewee.DoubleField()
