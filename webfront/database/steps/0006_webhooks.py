"""Webhooks and their deliveries."""

from __future__ import annotations

from typing import Final

from peewee import CharField, DoubleField, ForeignKeyField, IntegerField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    webhook = change.create_table(
        "webhook",
        {
            "user": ForeignKeyField(change.table("user")),
            "url": CharField(1000),
            "app": CharField(64),
            "key": CharField(500),
            "created_at": DoubleField(),
            "failures": IntegerField(),
            "failing_since": DoubleField(null=True),
            "rest_until": DoubleField(),
        },
    )
    change.create_table(
        "delivery",
        {
            "id": CharField(26, primary_key=True),
            "webhook": ForeignKeyField(webhook, on_delete="CASCADE"),
            "job": CharField(26, null=True),
            "body": TextField(),
            "state": CharField(16),
            "created_at": DoubleField(),
            "tries": IntegerField(),
            "next_at": DoubleField(),
            "give_up_at": DoubleField(),
            "tried_at": DoubleField(null=True),
            "ended_at": DoubleField(null=True),
            "status": IntegerField(null=True),
            "error": CharField(500),
        },
        indexes=[
            (("webhook", "job"), True),
            (("webhook", "id"), False),
            (("webhook", "state", "next_at"), False),
            (("state", "ended_at"), False),
        ],
    )
