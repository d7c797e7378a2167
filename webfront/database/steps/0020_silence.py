"""How long a node has been silent, how long it asked to be waited for, and what is wrong with the broker.

So a scheduler goes on counting where the one before it ended.
"""

from __future__ import annotations

from typing import Final

from peewee import SQL, CharField, DoubleField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("node", "silent_s", DoubleField(constraints=[SQL("DEFAULT 0")]))
    change.add_column("node", "awaited_s", DoubleField(constraints=[SQL("DEFAULT 0")]))
    change.add_column("look", "trouble", CharField(200, constraints=[SQL("DEFAULT ''")]))
    change.add_column("look", "trouble_at", DoubleField(null=True))
