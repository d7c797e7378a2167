"""Who wished a play to stop, and to which phase of its play a step belongs."""

from __future__ import annotations

from typing import Final

from peewee import SQL, CharField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("play", "stopped_by", CharField(64, constraints=[SQL("DEFAULT ''")]))
    change.add_column("play_event", "phase", CharField(16, constraints=[SQL("DEFAULT ''")]))
