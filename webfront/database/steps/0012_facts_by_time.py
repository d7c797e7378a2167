"""The index with which what is asked of a span of time reads the facts of that span alone."""

from __future__ import annotations

from typing import Final

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_index("fact", ["at"])
