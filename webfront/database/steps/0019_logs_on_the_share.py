"""Logs on the share: where the text of lines lies, and how much of each attempt's file is taken."""

from __future__ import annotations

from typing import Final

from peewee import SQL, BigIntegerField, BooleanField, DoubleField, ForeignKeyField, IntegerField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("attempt", "log_bytes", BigIntegerField(constraints=[SQL("DEFAULT 0")]))
    change.add_column("log_chunk", "glimpse", BooleanField(constraints=[SQL("DEFAULT 0")]))
    change.create_table(
        "log_piece",
        {
            "attempt": ForeignKeyField(change.table("attempt"), on_delete="CASCADE", index=False),
            "first": IntegerField(),
            "count": IntegerField(),
            "at": DoubleField(),
            "position": BigIntegerField(),
            "size": IntegerField(),
            "lines": IntegerField(),
        },
        indexes=[(("attempt", "first"), True)],
    )
