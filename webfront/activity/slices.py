"""Removing much of what is old, a little at a time, so that others need not wait long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from webfront.activity.term import Term

SLICE: Final = 500
"""Rows removed in one transaction."""


def remove_in_slices(term: Term, find: Callable[[int], list[Any]], remove: Callable[[list[Any]], int]) -> int:
    """Remove what `find(limit)` finds, each slice in a transaction of the term, until it finds fewer or the term ends.

    `find` gives keys, at most `limit`; `remove` takes those and returns how many rows went. Returns how many went in
    all. Raises `Deposed`.
    """
    removed = 0
    while not term.over.is_set():
        old = find(SLICE)
        if old:
            with term.transaction():
                removed += remove(old)
        if len(old) < SLICE:
            break
    return removed
