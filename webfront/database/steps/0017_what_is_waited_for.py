"""What is waited for: the stage an attempt is at, how much a node may hold, when the scheduler last decided."""

from __future__ import annotations

from typing import Final

from peewee import SQL, BooleanField, DoubleField, IntegerField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("attempt", "stage", TextField(null=True))
    change.add_column("node", "agent_slots", IntegerField(null=True))
    change.add_column("node", "trial", BooleanField(constraints=[SQL("DEFAULT 0")]))
    change.create_table("look", {"at": DoubleField()})
