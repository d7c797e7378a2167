"""What the scheduler tells others in one row: when it last decided, and what keeps the broker from working."""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from webfront.database.rows import change, rows, value

_log = logging.getLogger(__name__)

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


class Trouble:
    """What the scheduler has told of the broker, so that it writes only what is new."""

    def __init__(self) -> None:
        self._told: str | None = None

    def forget(self) -> None:
        """What was written last may not stand."""
        self._told = None

    def tell(self, reason: str, now: float) -> None:
        """The broker blocks for this reason, as it says itself; for none, it works. In the caller's transaction."""
        words = words_of(reason)
        if words != self._told:
            note_trouble(words, now)
            if words or self._told:
                _log.warning("%s", words or "the broker works again", extra={"event.action": "broker.blocked"})
            self._told = words


def words_of(reason: str) -> str:
    """In our words, why the broker blocks, by the reason that it gives itself ("low on disk")."""
    if not reason:
        return ""
    found = [ours for theirs, ours in _NEEDS.items() if theirs in reason]
    return "the broker blocks: " + (" and ".join(found) or reason[:100])


def _begin() -> None:
    if not value(_LOOKS):
        change(_FIRST_LOOK)
