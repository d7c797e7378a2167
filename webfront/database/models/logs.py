"""What became of log records that did not arrive."""

from __future__ import annotations

import peewee

from webfront.database.models.base import JsonField, Model


class LogLoss(Model):
    """How many log records did not arrive, since the platform was set up: one row."""

    lost = peewee.BigIntegerField(default=0)
    """They passed the queue's bound."""
    lost_at = peewee.DoubleField(null=True)
    last_lost = JsonField(default=list)
    """By what those that were counted last are known, should they come again."""
    refused = peewee.BigIntegerField(default=0)
    """They cannot be written, and were set aside."""
    refused_at = peewee.DoubleField(null=True)


class RefusedRecord(Model):
    """A log record that was set aside; the newest thousand."""

    name = peewee.CharField(64, unique=True)
    at = peewee.DoubleField()
    reason = peewee.CharField(500)
    body = peewee.TextField()
    """Its beginning, as text."""
