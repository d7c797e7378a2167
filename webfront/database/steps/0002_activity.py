"""Facts, the consumers that are told of them, and the chores."""

from __future__ import annotations

from typing import Final

from peewee import BigAutoField, BigIntegerField, CharField, DoubleField, IntegerField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.create_table(
        "fact",
        {
            "id": BigAutoField(),
            "batch": BigIntegerField(null=True, index=True),
            "at": DoubleField(),
            "kind": CharField(32),
            "outcome": CharField(8),
            "user": CharField(64),
            "controller": CharField(64),
            "node": CharField(32),
            "app": CharField(64),
            "job": CharField(26),
            "attempt": IntegerField(null=True),
            "play": IntegerField(null=True),
            "data": TextField(null=True),
        },
    )
    change.create_table(
        "consumer",
        {
            "name": CharField(64, unique=True),
            "batch": BigIntegerField(),
            "failing_since": DoubleField(null=True),
            "error": CharField(500),
            "tries": IntegerField(),
            "next_try_at": DoubleField(null=True),
        },
    )
    change.create_table(
        "chore",
        {
            "name": CharField(64, unique=True),
            "last_at": DoubleField(),
            "took_s": DoubleField(),
            "told": CharField(500),
            "failing_since": DoubleField(null=True),
            "error": CharField(500),
            "next_at": DoubleField(),
        },
    )
