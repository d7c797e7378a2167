"""Nodes without an agent: what plays know of their machines."""

from __future__ import annotations

from typing import Final

from peewee import TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("node", "machine", TextField(null=True))
