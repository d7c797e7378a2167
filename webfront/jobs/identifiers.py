"""Identifiers of jobs: ULIDs, which sort by the time they were made."""

from __future__ import annotations

import re
import secrets
import threading
from typing import Final

from webfront.clock import Clock, system_clock

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PATTERN: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


class Ulids:
    """Makes ULIDs: 48 bits of milliseconds, 80 random ones. Those made here grow, within a millisecond too."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        with self._lock:
            moment = int(self._clock() * 1000) << 80
            # Not above the last one's time (the same millisecond, or the clock was set back): the next number.
            self._last = moment | secrets.randbits(79) if moment > self._last else self._last + 1
            value = self._last
        return _written(value)


def first_after(moment: float) -> str:
    """The least id of a job that is made at this moment or later."""
    return _written(max(0, int(moment * 1000)) << 80)


def _written(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))
