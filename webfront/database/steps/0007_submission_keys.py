"""The keys with which submissions are safe to send again."""

from __future__ import annotations

from typing import Final

from peewee import CharField, DoubleField, ForeignKeyField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.create_table(
        "submission_key",
        {
            "user": ForeignKeyField(change.table("user"), on_delete="CASCADE", index=False),
            "key": CharField(255),
            "request": CharField(64),
            "job": CharField(26),
            "at": DoubleField(),
        },
        indexes=[(("user", "key"), True)],
    )
