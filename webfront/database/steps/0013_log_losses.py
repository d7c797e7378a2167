"""What became of log records that did not arrive: how many were lost, and those that were set aside."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, CharField, DoubleField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.create_table(
        "log_loss",
        {
            "lost": BigIntegerField(),
            "lost_at": DoubleField(null=True),
            "last_lost": TextField(),
            "refused": BigIntegerField(),
            "refused_at": DoubleField(null=True),
        },
    )
    change.create_table(
        "refused_record",
        {
            "name": CharField(64, unique=True),
            "at": DoubleField(),
            "reason": CharField(500),
            "body": TextField(),
        },
    )
