"""One attempt on a machine without an agent, followed over a connection that is kept and that comes back.

What is told is kept in files before it counts: the log, byte for byte, in `log`; the end in memory, since the
machine tells it again. A connection that breaks says nothing about the attempt: it is asked for again, until the
machine says how it ended, or that it does not know it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from dispatch.line import Line
from node_scripts.running.interface import Ended, LiveLog
from node_scripts.running.rooms import write_record
from wire.messages import Cause

_log = logging.getLogger(__name__)

_SILENCE_S: Final = 20.0
_PING_S: Final = 5.0
_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_SSH_FAILED: Final = 255
_MARK: Final = b"skerry "
UNKNOWN: Final = Ended(Cause.NODE_LOST, "the machine no longer knows this attempt")


class Following:
    """Begins with `run`, in a task of its own; `changed` is set whenever something is told."""

    def __init__(self, line: Line, key: str, log: Path, most_log: int, mend: Callable[[], Awaitable[None]]) -> None:
        """Of the log no more than `most_log` bytes are taken: that it is bounded there is that machine's word.

        `mend` is called when the machine answers and has no kit of ours: an upgrade came between.
        """
        self._line = line
        self._key = key
        self._log = log
        self._most_log = most_log
        self._mend = mend
        self._input: asyncio.StreamWriter | None = None
        self._cancel_wanted = False
        self.what = ""
        """What the machine is at, in words, before the app was started."""
        self.detail = ""
        """What of that is under way."""
        self.started_at: float | None = None
        self.never_ran = False
        """What is called its start was none of its app: only a log and an end are there."""
        self.ended: Ended | None = None
        self.changed = asyncio.Event()
        self.over = asyncio.Event()

    def cancel(self) -> None:
        """Have it ended there: at once where the connection stands, else as soon as it does again."""
        self._cancel_wanted = True
        self._say(b"cancel\n")

    async def run(self) -> None:
        """Follow until the end is known."""
        failures = 0
        while self.ended is None:
            try:
                heard = await self._follow_once()
            except OSError as error:
                _log.warning("an attempt cannot be followed now: %s", error, extra=self._fields())
                heard = False
            if self.ended is not None:
                break
            failures = 0 if heard else failures + 1
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
        self.over.set()
        self.changed.set()

    async def _follow_once(self) -> bool:
        """One connection, to its end. True if the machine said something."""
        process = await self._line.open("follow", self._key, str(_size(self._log)))
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a call without input and output")
        self._input = process.stdin
        if self._cancel_wanted:
            self._say(b"cancel\n")
        pinging = asyncio.create_task(self._ping())
        heard = False
        try:
            while self.ended is None:
                try:
                    line = await asyncio.wait_for(process.stdout.readline(), _SILENCE_S)
                except (TimeoutError, ValueError):
                    break
                if not line:
                    break
                if line.startswith(_MARK):
                    heard = True
                    self._take(line)
        finally:
            self._input = None
            pinging.cancel()
            if process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 0.5)
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if not heard and process.returncode not in (0, _SSH_FAILED):
            await self._mend()
        return heard

    def _take(self, line: bytes) -> None:
        try:
            told: dict[str, Any] = json.loads(line[len(_MARK) :])
            if "log" in told:
                self._take_log(base64.b64decode(told["log"], validate=True), int(told["at"]))
            elif "live" in told:
                live = msgspec.json.decode(told["live"], type=LiveLog)
                write_record(self._log.with_name("live"), live, sync=False)
            elif "ended" in told:
                ended = msgspec.json.decode(told["ended"], type=Ended)
                if _size(self._log) >= int(told["log_bytes"]):
                    self.ended = ended
            elif told.get("state") == "unknown":
                self.ended = UNKNOWN
            elif "state" in told:
                self.what = str(told.get("what", ""))
                self.detail = str(told.get("detail", ""))
                self.never_ran = bool(told.get("never_ran", False))
                self.started_at = told.get("at")
        except (ValueError, KeyError, TypeError, msgspec.MsgspecError, binascii.Error) as error:
            _log.error("what a machine said cannot be read: %s", error, extra=self._fields())
            return
        self.changed.set()

    def _take_log(self, chunk: bytes, at: int) -> None:
        with self._log.open("ab") as file:
            if file.tell() == at and at < self._most_log:
                file.write(chunk)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            self._say(b"ping\n")

    def _say(self, what: bytes) -> None:
        if self._input is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._input.write(what)

    def _fields(self) -> dict[str, object]:
        job, _, attempt = self._key.rpartition(".")
        return {"skerry.job": job, "skerry.attempt": int(attempt), "skerry.node": self._line.node.name}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
