"""What a node refuses for itself, which attempts that ended, and which attempts' nodes went down under them."""

from __future__ import annotations

from typing import Final

from peewee import SQL, BooleanField, CharField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("node", "refusals", TextField(null=True))
    change.add_column("attempt", "refusal", CharField(32, constraints=[SQL("DEFAULT ''")]))
    change.add_column("attempt", "node_fell", BooleanField(constraints=[SQL("DEFAULT 0")]))
