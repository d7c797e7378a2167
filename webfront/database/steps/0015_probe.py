"""A row that each web front writes to see whether the database takes a write."""

from __future__ import annotations

from typing import Final

from peewee import CharField, DoubleField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.create_table("probe", {"controller": CharField(64, unique=True), "at": DoubleField()})
