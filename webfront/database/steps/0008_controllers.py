"""Several controllers: which of them runs a play, and whether that play has secrets in that one's memory."""

from __future__ import annotations

from typing import Final

from peewee import SQL, BooleanField, CharField, IntegerField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.create_table("controller", {"name": CharField(64, unique=True), "beats": IntegerField()})
    change.add_column("play", "controller", CharField(64, constraints=[SQL("DEFAULT ''")]))
    change.add_column("play", "has_secrets", BooleanField(constraints=[SQL("DEFAULT 0")]))
