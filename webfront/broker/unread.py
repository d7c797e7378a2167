"""What cannot be read: counted by sender and kind, and told in the log at a bounded rate.

A node that speaks of something new does so with each of its jobs; the log says it once, and then at most once a minute
how often it was.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

_log = logging.getLogger(__name__)

_EVERY_S: Final = 60.0
_MOST: Final = 200
"""So many are told apart: a kind is text from a node, which could think of ever new ones."""

Key = tuple[str, str, str]
"""What it is, its kind, and its sender."""


@dataclasses.dataclass(slots=True)
class _Tally:
    reason: str
    count: int = 0
    told: int = 0
    told_at: float | None = None


class Unread:
    """The tallies. `now` is in seconds, of any one clock."""

    def __init__(self) -> None:
        self._tallies: dict[Key, _Tally] = {}

    def note(self, what: str, kind: str, sender: str | None, reason: str, now: float) -> None:
        """One more, left out. `what` says what it is: "an event", "a message on skerry.events"."""
        key = (what, kind, sender or "an unnamed user")
        if key not in self._tallies and len(self._tallies) >= _MOST:
            key = (what, "others", "others")
        tally = self._tallies.setdefault(key, _Tally(reason))
        tally.count += 1
        tally.reason = reason
        self._tell(key, tally, now)

    def tell(self, now: float) -> None:
        """Tell of what has come since each was last told and is due by now; to be called now and then."""
        for key, tally in self._tallies.items():
            self._tell(key, tally, now)

    def _tell(self, key: Key, tally: _Tally, now: float) -> None:
        new = tally.count - tally.told
        if not new or (tally.told_at is not None and now - tally.told_at < _EVERY_S):
            return
        what, kind, sender = key
        tally.told, tally.told_at = tally.count, now
        _log.warning(
            "%s of the kind %r from %s cannot be used here and is left out (%d new, %d in all): %s",
            what,
            kind,
            sender,
            new,
            tally.count,
            tally.reason,
            extra={"event.action": "message.unread", "user.name": sender},
        )
