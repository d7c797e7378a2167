"""Who is told of a job's end, and what is on its way to them."""

from __future__ import annotations

import peewee

from webfront.database.models.accounts import User
from webfront.database.models.base import Model


class Webhook(Model):
    """An address that is told of its owner's jobs' ends."""

    user = peewee.ForeignKeyField(User, backref="webhooks")
    user_id: int
    url = peewee.CharField(1000)
    app = peewee.CharField(64, default="")
    """The app whose jobs it is told of; empty for all."""
    key = peewee.CharField(500)
    """What its deliveries are signed with, encrypted by `webfront.secretbox`."""
    created_at = peewee.DoubleField()
    failures = peewee.IntegerField(default=0)
    """How many tries failed since the last one that arrived."""
    failing_since = peewee.DoubleField(null=True)
    rest_until = peewee.DoubleField(default=0.0)
    """It is left alone until then."""

    @property
    def owned_by(self) -> int:
        return self.user_id


class Delivery(Model):
    """One message for a webhook: what is sent, and how far it has come."""

    id = peewee.CharField(26, primary_key=True)
    """A ULID, sent with it: by this a receiver knows what it has had."""
    webhook = peewee.ForeignKeyField(Webhook, backref="deliveries", on_delete="CASCADE")
    webhook_id: int
    job = peewee.CharField(26, null=True)
    """The job that has ended; None for a test."""
    body = peewee.TextField()
    """The JSON text, the same with each try."""
    state = peewee.CharField(16)
    """`webfront.webhooks.states.DeliveryState`."""
    created_at = peewee.DoubleField()
    tries = peewee.IntegerField(default=0)
    next_at = peewee.DoubleField()
    """When it is tried, or tried again, while it is pending."""
    give_up_at = peewee.DoubleField()
    tried_at = peewee.DoubleField(null=True)
    ended_at = peewee.DoubleField(null=True)
    """When it was delivered or given up."""
    status = peewee.IntegerField(null=True)
    """The status of the last answer, where there was one."""
    error = peewee.CharField(500, default="")
    """What was wrong with the last try, in words."""

    class Meta:
        indexes = (
            (("webhook", "job"), True),
            (("webhook", "id"), False),
            (("webhook", "state", "next_at"), False),
            (("state", "ended_at"), False),
        )
