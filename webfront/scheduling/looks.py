"""What the scheduler tells others in one row: when it last decided, and what keeps the broker from working."""

from __future__ import annotations

from typing import Final, NamedTuple

from webfront.database.rows import change, rows, value

_LOOKS: Final = "SELECT COUNT(*) FROM look"
_FIRST_LOOK: Final = "INSERT INTO look (at, trouble) VALUES (0, '')"
_LOOKED: Final = "UPDATE look SET at = ?"
_TROUBLE: Final = "UPDATE look SET trouble = ?, trouble_at = ?"
_LOOK: Final = "SELECT at, trouble, trouble_at FROM look"

_NEEDS: Final = {"disk": "its disk is full", "memory": "its memory is full"}
"""Words of the broker's own reason, and ours. It blocks before either has come to nothing, at a bound."""


class LastLook(NamedTuple):
    at: float
    trouble: str
    trouble_at: float | None


def last_look() -> LastLook | None:
    """As the row stands; None before the first."""
    found = rows(LastLook, _LOOK)
    return found[0] if found else None


def note_look(now: float) -> None:
    """The scheduler has decided. In the caller's transaction."""
    _begin()
    change(_LOOKED, now)


def note_trouble(words: str, now: float) -> None:
    """What is wrong with the broker since now; empty when nothing is any more. In the caller's transaction."""
    _begin()
    change(_TROUBLE, words, now if words else None)


def words_of(reason: str) -> str:
    """In our words, why the broker blocks, by the reason that it gives itself ("low on disk")."""
    if not reason:
        return ""
    found = [ours for theirs, ours in _NEEDS.items() if theirs in reason]
    return "the broker blocks: " + (" and ".join(found) or reason[:100])


def _begin() -> None:
    if not value(_LOOKS):
        change(_FIRST_LOOK)
