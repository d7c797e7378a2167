"""Which of several controllers works for the nodes without an agent."""

from __future__ import annotations

from typing import Final

from peewee import SQL, BooleanField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("controller", "works", BooleanField(constraints=[SQL("DEFAULT 0")]))
