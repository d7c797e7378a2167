"""An attempt's log on its way out: lines as they are written, in chunks, each confirmed before the next is read.

The log file is the spool: nothing is read ahead of what the broker has taken, so a broker that is away costs no memory,
and a line is numbered by its place in the file, so a second copy can be told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from node_scripts.journal import Journal
from node_scripts.outbox import Outbox
from node_scripts.running.interface import RunningAttempt
from wire.messages import LogLines

_log = logging.getLogger(__name__)

_LINES: Final = 500
_POLL_S: Final = 0.1


class LogTail:
    """The log of one launched attempt, from the line after `after`."""

    def __init__(
        self, running: RunningAttempt, outbox: Outbox, journal: Journal, now: Callable[[], float], after: int = 0
    ) -> None:
        self._running = running
        self._outbox = outbox
        self._journal = journal
        self._now = now
        self._put = after
        self._under_way = 0
        self._told = False

    @property
    def last_line(self) -> int:
        """The number of the last line put into the outbox."""
        return self._put

    def send_new(self) -> None:
        """Send what has been written since; nothing while the chunk before is not confirmed."""
        if not self._under_way:
            self._send(self._read())

    async def send_rest(self) -> None:
        """Send all that is left. When this returns the last of it is in the outbox, though perhaps not confirmed."""
        while lines := self._read():
            confirmed = self._send(lines)
            if len(lines) >= _LINES:
                await confirmed

    def _read(self) -> list[str]:
        try:
            return self._running.read_log(self._put, _LINES)
        except Exception:
            # The end says how many lines there are, so the user sees a gap rather than a log that seems whole.
            if not self._told:  # once, not at each look
                _log.exception("a log cannot be read", extra={"skerry.job": self._running.job})
                self._told = True
            return []

    def _send(self, lines: list[str]) -> asyncio.Future[None]:
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not lines:
            confirmed.set_result(None)
            return confirmed
        job, attempt, first = self._running.job, self._running.attempt, self._put + 1
        last = self._put + len(lines)
        self._put = last
        self._under_way += 1

        def on_confirmed() -> None:
            self._under_way -= 1
            self._journal.note_lines((job, attempt), last)
            if not confirmed.done():
                confirmed.set_result(None)

        self._outbox.put(LogLines(job, attempt, self._now(), first, tuple(lines)), on_confirmed)
        return confirmed


class LogFollower:
    """Looks at the logs of all running attempts a few times a second, and sleeps when there are none."""

    def __init__(self) -> None:
        self._tails: dict[LogTail, None] = {}
        self._any = asyncio.Event()

    def add(self, tail: LogTail) -> None:
        """Follow this log."""
        self._tails[tail] = None
        self._any.set()

    def remove(self, tail: LogTail) -> None:
        """Follow it no longer; its rest is sent by `LogTail.send_rest`."""
        self._tails.pop(tail, None)
        if not self._tails:
            self._any.clear()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self._any.wait()
            for tail in list(self._tails):
                tail.send_new()
            await asyncio.sleep(_POLL_S)
