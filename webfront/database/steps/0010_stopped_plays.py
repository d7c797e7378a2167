"""Who wished a play to stop."""

from __future__ import annotations

from typing import Final

from peewee import SQL, CharField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("play", "stopped_by", CharField(64, constraints=[SQL("DEFAULT ''")]))
