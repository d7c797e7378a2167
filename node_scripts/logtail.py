"""An attempt's log on its way out: lines as they are written, in chunks, each confirmed before the next is read.

The log file is the spool: nothing is read ahead of what the broker has taken, so a broker that is away costs no memory,
and a line is numbered by its place in the log, so a second copy can be told.

Once the log's first part is full, what the app writes is told by glimpses, so that whoever follows sees it run. Not
many stay: after some lines of them the log is told `anew` from the end of its first part on, and so is its last part,
which is in the file when the app has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from node_scripts.journal import Journal
from node_scripts.outbox import Outbox
from node_scripts.running.interface import RunningAttempt
from wire.messages import LogLines

_log = logging.getLogger(__name__)

_LINES: Final = 5000
_CHUNKS_UNDER_WAY: Final = 4
_POLL_S: Final = 0.1
_LIVE_LINES: Final = 2000
_PASSING: Final = (
    "[skerry] the log is long: lines are left out here while the app runs, and at its end the last ones follow"
)


class LogTail:
    """The log of one launched attempt, from the line after `after`."""

    def __init__(
        self,
        running: RunningAttempt,
        outbox: Outbox,
        journal: Journal,
        now: Callable[[], float],
        after: int | None = None,
    ) -> None:
        """`after` is None where this is the first to follow the attempt, and then nothing of it was told."""
        self._running = running
        self._outbox = outbox
        self._journal = journal
        self._now = now
        self._put = after or 0
        self._glimpsed = 0
        """The last line told by a glimpse, since the log was last told anew."""
        self._is_anew = after is not None  # an earlier start of the agent may have told glimpses
        self._is_behind = bool(after)  # the file is open at its beginning
        self._live_lines = 0
        self._under_way = 0
        self._told = False

    @property
    def last_line(self) -> int:
        """The number of the last line put into the outbox, glimpses left out."""
        return self._put

    def send_new(self) -> None:
        """Send what has been written since; nothing while the chunk before is not confirmed."""
        if self._is_behind:
            self._come_nearer()
        elif not self._under_way and self._send_part() is None:
            self._send_glimpse()

    async def send_rest(self) -> None:
        """Send all that is left. When this returns the last of it is in the outbox, though perhaps not confirmed."""
        chunks = 0
        while self._is_behind:
            self._come_nearer()
            await asyncio.sleep(0)
        while (confirmed := self._send_part()) is not None:
            chunks += 1
            if chunks % _CHUNKS_UNDER_WAY == 0:
                await confirmed

    def _come_nearer(self) -> None:
        try:
            self._is_behind = self._running.pass_over(self._put)
        except OSError:
            self._is_behind = False  # reading it will tell

    def _send_part(self) -> asyncio.Future[None] | None:
        """Send the next lines of the file; None when there are none now."""
        lines, dropped = self._read()
        if not lines:
            return None
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        key = self._running.job, self._running.attempt
        first, last = self._put + 1, self._put + len(lines) + dropped
        if self._glimpsed:
            self._is_anew = True
        self._put, self._glimpsed = last, 0

        def on_confirmed() -> None:
            self._journal.note_lines(key, last)
            if not confirmed.done():
                confirmed.set_result(None)

        self._tell(first, lines, dropped, and_then=on_confirmed)
        return confirmed

    def _send_glimpse(self) -> None:
        live = self._running.live_log()
        if live is None or not live.lines:
            return
        last = live.first + len(live.lines) - 1
        told = max(self._put, self._glimpsed)
        if last <= told:
            return
        if not self._glimpsed or self._live_lines > _LIVE_LINES:
            told, self._is_anew, self._live_lines = self._put, True, 0
        if live.first > told + 1:
            self._tell(told + 1, [_PASSING], live.first - told - 2, is_glimpse=True)
            told = live.first - 1
        self._tell(told + 1, live.lines[told + 1 - live.first :], is_glimpse=True)
        self._glimpsed = last
        self._live_lines += len(live.lines)

    def _read(self) -> tuple[list[str], int]:
        try:
            lines = self._running.read_log(self._put, _LINES)
            return lines, self._running.dropped_after(self._put + len(lines))
        except Exception:
            # The end says how many lines there are, so the user sees a gap rather than a log that seems whole.
            if not self._told:  # once, not at each look
                _log.exception("a log cannot be read", extra={"skerry.job": self._running.job})
                self._told = True
            return [], 0

    def _tell(
        self,
        first: int,
        lines: Sequence[str],
        dropped: int = 0,
        *,
        is_glimpse: bool = False,
        and_then: Callable[[], None] | None = None,
    ) -> None:
        self._under_way += 1

        def on_confirmed() -> None:
            self._under_way -= 1
            if and_then is not None:
                and_then()

        event = LogLines(
            self._running.job,
            self._running.attempt,
            self._now(),
            first,
            tuple(lines),
            dropped,
            self._is_anew,
            is_glimpse,
        )
        self._outbox.put(event, on_confirmed)
        self._is_anew = False


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
