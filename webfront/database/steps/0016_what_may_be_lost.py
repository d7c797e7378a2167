"""What lets the platform go on when the broker has lost something: how often an attempt's order was sent, so that none
is sent for ever, and by what the broker knows each node's password.
"""

from __future__ import annotations

from typing import Final

from peewee import SQL, CharField, IntegerField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("attempt", "orders", IntegerField(constraints=[SQL("DEFAULT 0")]))
    change.add_column("node", "broker_hash", CharField(128, constraints=[SQL("DEFAULT ''")]))
