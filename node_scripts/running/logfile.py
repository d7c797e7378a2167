"""The attempt's log: written by the keeper within a bound, read and numbered by the agent.

A line has the number that it has in what the app wrote. The file is only ever added to, in whole lines. Where lines are
missing in it there is a mark, a line that begins with a zero byte (no line of an app's does): how many numbers it
stands for, and what is said in their place.

    first lines ... | mark: "[skerry] lines 100,001 to 734,211 were dropped ..." | last lines

Past its share for the first lines the keeper holds the newest ones in memory, and adds mark and last lines at the end;
what is new meanwhile is in the file `live`, a glimpse that is written anew again and again. Where the disk takes
nothing it holds them too, and tries again. A keeper that is killed takes what it held with it.
"""

from __future__ import annotations

import collections
import os
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node_scripts.running.interface import LiveLog
from node_scripts.running.rooms import read_record, write_record

LINE_BYTES: Final = 8192
_CHUNK: Final = 65536
_PASSED: Final = 2**20
_PASSES: Final = 64
_TAIL_BYTES: Final = 4096
_ROUNDS: Final = 16
_PART_CHARACTERS: Final = 500_000
_LARGEST_NUMBER: Final = 10**9
"""Lines past it have no numbers of their own: whoever keeps them counts in 32 bits."""
_LIVE_LINES: Final = 400
_LIVE_BYTES: Final = 65536
_LIVE_EVERY_S: Final = 0.5
_TRY_AGAIN_S: Final = 1.0
_BLOCK: Final = LINE_BYTES // 2
_OVERLONG: Final = re.compile(rb"(?m)^([^\n]{%d})[^\n]+" % (LINE_BYTES + 1))
_ZERO_FIRST: Final = re.compile(rb"(?m)^\0")
_MARK: Final = re.compile(rb"\0(\d{1,10}) (.*)", re.DOTALL)


@dataclass(frozen=True)
class LogBound:
    """How much of a log is kept, in bytes and in lines: of what passes either, the first and the last part."""

    bytes: int
    lines: int

    @property
    def last(self) -> tuple[int, int]:
        """Bytes and lines of the last part: a half, and no more than a process may well hold in memory."""
        return min(self.bytes // 2, 2**23), min(self.lines // 2, 100_000)

    @property
    def first(self) -> tuple[int, int]:
        """Bytes and lines of the first part."""
        last_bytes, last_lines = self.last
        return self.bytes - last_bytes, self.lines - last_lines


LOG_BOUND: Final = LogBound(16 * 2**20, 200_000)
"""What an attempt's log may have, unless its order says another size."""
_LARGEST_MB: Final = 8192


def bound_of(mebibytes: int) -> LogBound:
    """The bound for a log of this size; its lines grow with it."""
    wanted = max(1, min(mebibytes, _LARGEST_MB))
    return LogBound(wanted * 2**20, wanted * LOG_BOUND.lines * 2**20 // LOG_BOUND.bytes)


class LogSink:
    """The keeper's end: takes what the app writes into its pipe to the log, within the bound.

    The app is never held up: what can be kept neither on the disk nor in memory is dropped, and counted.
    """

    def __init__(
        self,
        pipe: int,
        log: int,
        bound: LogBound,
        *,
        before: int = 0,
        live: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`log` is open for appending, with `before` lines in it. `live` is where glimpses go."""
        self.pipe = pipe
        self._log = log
        self._live = live
        self._clock = clock
        self._left_bytes = bound.first[0] - os.fstat(log).st_size
        self._left_lines = bound.first[1] - before
        self._number = before  # of the last line in the file
        self._is_torn = False  # the file ends within a line, the rest of which is held
        self._begun = b""  # a line whose newline has not come yet, as far as it is kept
        self._held = _Held(*bound.last)
        self._is_disk_full = False
        self._try_at = 0.0
        self._live_at = 0.0
        self._is_news = False
        self.tail = b""
        """The last few kilobytes the app wrote, dropped ones too."""
        os.set_blocking(pipe, False)

    @property
    def lines(self) -> int:
        """How many lines the app has written, those that were here before included."""
        return _add(self._number, self._held.dropped + self._held.lines)

    def pump(self, rounds: int = _ROUNDS) -> bool:
        """Take over what is there, a bounded amount. False once every writer is gone."""
        for _ in range(rounds):
            try:
                chunk = os.read(self.pipe, _CHUNK)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self.tail = (self.tail + chunk)[-_TAIL_BYTES:]
            self._take(self._whole_lines(chunk))
        return True

    def look(self) -> None:
        """What has its time: try a disk that was full, write a glimpse. Cheap, and to be called often."""
        if not self._held:
            return
        now = self._clock()
        if self._is_disk_full and now >= self._try_at:
            self._is_disk_full = False
            self._add_held()
        if self._live is not None and self._is_news and now >= self._live_at:
            self._live_at = now + _LIVE_EVERY_S
            self._is_news = False
            lines = self._held.newest(_LIVE_LINES, _LIVE_BYTES)
            first = max(1, self.lines - len(lines) + 1)
            with suppress(OSError):  # a full disk
                write_record(self._live, LiveLog(first, tuple(map(_text, lines))), sync=False)

    def finish(self) -> None:
        """Everything has been pumped: add what is held."""
        if self._begun:
            self._take(self._whole_lines(b"\n"))
        self._add_held(is_last=True)

    def _whole_lines(self, chunk: bytes) -> bytes:
        """The lines that are whole now, each as much as is kept of a line."""
        whole = self._begun + chunk
        end = whole.rfind(b"\n") + 1
        whole, self._begun = whole[:end], whole[end : end + LINE_BYTES + 1]
        # A line that is too long has one of these blocks to itself; the search for it is dearer.
        if any(whole.find(b"\n", start, start + _BLOCK) < 0 for start in range(0, len(whole), _BLOCK)):
            whole = _OVERLONG.sub(rb"\1", whole)
        return _ZERO_FIRST.sub(b"\xff", whole) if b"\0" in whole else whole

    def _take(self, lines: bytes) -> None:
        if not lines:
            return
        if not self._held:
            lines = self._add(lines)
        if lines:
            self._held.add(lines)
            self._is_news = True
            self.look()

    def _add(self, lines: bytes, *, is_last: bool = False) -> bytes:
        """Add as many of these to the file as its share and the disk allow; what is left."""
        fitting = lines if is_last else lines[: _fitting(lines, self._left_bytes, self._left_lines)]
        written = self._write(fitting)
        count = lines.count(b"\n", 0, written)
        self._number = _add(self._number, count)
        self._left_bytes -= written
        self._left_lines -= count
        if written:
            self._is_torn = lines[written - 1 : written] != b"\n"
        return lines[written:]

    def _add_held(self, *, is_last: bool = False) -> None:
        """Add what is held, with a mark in the place of what was dropped."""
        if self._held.dropped and (is_last or (self._left_bytes > 0 and self._left_lines > 0)) and not self._add_mark():
            return
        while self._held.lines:
            lines = self._held.pop()
            left = self._add(lines, is_last=is_last)
            if left:
                self._held.put_back(left)
                return

    def _add_mark(self) -> bool:
        dropped = self._held.dropped
        if self._is_torn:
            # The line is cut short, but it is there.
            if not self._write(b"\n"):
                return False
            self._is_torn = False
            self._number = _add(self._number, 1)
            dropped -= 1
            self._held.dropped = dropped
        if not dropped:
            return True
        span = max(1, _add(self._number, dropped) - self._number)
        words = (
            f"[skerry] line {self._number + 1:,} was dropped"
            if dropped == 1
            else f"[skerry] lines {self._number + 1:,} to {self._number + dropped:,} were dropped"
        )
        mark = b"\0%d %s: of a log that is too long, or that a full disk did not take\n" % (span, words.encode())
        if self._write(mark, whole=True) != len(mark):
            return False
        self._number += span
        self._held.dropped = 0
        return True

    def _write(self, data: bytes, *, whole: bool = False) -> int:
        """Append to the file; how many bytes it took. With `whole` none of them if not all."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._log, data[written:])
        except OSError:
            # A full disk must not end the app, whose results may need none of it.
            self._is_disk_full = True
            self._try_at = self._clock() + _TRY_AGAIN_S
            if whole and written:
                with suppress(OSError):
                    os.ftruncate(self._log, os.fstat(self._log).st_size - written)
                written = 0
        return written


class _Held:
    """The newest lines, as far as they fit; true while there is something, if only the count of what was dropped."""

    def __init__(self, most_bytes: int, most_lines: int) -> None:
        self._most_bytes = most_bytes
        self._most_lines = most_lines
        self._pieces: collections.deque[bytes] = collections.deque()
        self._bytes = 0
        self.lines = 0
        self.dropped = 0
        """Lines before those that are here."""

    def __bool__(self) -> bool:
        return bool(self._pieces or self.dropped)

    def add(self, lines: bytes) -> None:
        self._pieces.append(lines)
        self._bytes += len(lines)
        self.lines += lines.count(b"\n")
        while self._bytes > self._most_bytes or self.lines > self._most_lines:
            piece = self.pop()
            end = _after(piece, self.lines + piece.count(b"\n") - self._most_lines)
            excess = self._bytes + len(piece) - self._most_bytes
            if excess > end:
                end = piece.find(b"\n", excess - 1) + 1 or len(piece)
            self.dropped += piece.count(b"\n", 0, end)
            if end < len(piece):
                self.put_back(piece[end:])

    def pop(self) -> bytes:
        """Take the oldest lines out."""
        piece = self._pieces.popleft()
        self._bytes -= len(piece)
        self.lines -= piece.count(b"\n")
        return piece

    def put_back(self, piece: bytes) -> None:
        self._pieces.appendleft(piece)
        self._bytes += len(piece)
        self.lines += piece.count(b"\n")

    def newest(self, most_lines: int, most_bytes: int) -> list[bytes]:
        """The last lines, a few."""
        found = b""
        for piece in reversed(self._pieces):
            found = piece[-most_bytes:] + found
            if len(found) >= most_bytes or found.count(b"\n") >= most_lines:
                break
        # The first one may be a part of a line.
        lines = found[-most_bytes:].split(b"\n")[:-1]
        whole = lines[1:] if len(found) >= most_bytes else lines
        return whole[-most_lines:]


class LogReader:
    """The agent's end: the lines of a log that still grows, numbered from 1. Reads on from where it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._live = path.with_name("live")
        self._live_seen = 0
        self._dropped = 0
        self._fd = -1
        self._rewind()

    def read(self, after: int, limit: int, *, whole: bool = False) -> list[str]:
        """Up to `limit` complete lines from number `after + 1` on; with `whole` also a last one that has no newline.

        Of much text fewer than that. The list ends where lines were dropped: `dropped_after` its last one says how
        many, and it goes on behind them.
        """
        if after < self._number:
            self._rewind()
        if not self._open():
            return []
        lines: list[str] = []
        characters = 0
        while len(lines) < limit and characters < _PART_CHARACTERS:
            if self._dropped:
                if lines or after < self._number + self._dropped:
                    break
                self._number += self._dropped
                self._dropped = 0
            line = self._next(whole)
            if line is None:
                break
            self._number += 1
            mark = _MARK.fullmatch(line) if line.startswith(b"\0") else None
            if mark is not None:
                self._dropped = max(0, int(mark[1]) - 1)
                line = mark[2]
            if self._number > after:
                lines.append(_text(line))
                characters += len(lines[-1])
        return lines

    def pass_over(self, after: int) -> bool:
        """Pass over lines up to this one, a bounded amount, where that is quickly done. Whether more of it is to do."""
        if after < self._number:
            self._rewind()
        if not self._open():
            return False
        for _ in range(_PASSES):
            if self._ready or self._line or self._dropped:
                return False
            block = os.pread(self._fd, _PASSED, self._offset)
            end = block.rfind(b"\n") + 1
            count = block.count(b"\n", 0, end)
            # A zero byte may be a mark's, which stands for many lines.
            if not count or self._number + count > after or b"\0" in block:
                return False
            self._number += count
            self._offset += end
        return True

    def dropped_after(self, number: int) -> int:
        """How many lines after this one, the last that was read, were dropped."""
        return self._dropped if number == self._number else 0

    def live(self) -> LiveLog | None:
        """The newest glimpse, where there is one that was not handed out yet."""
        try:
            written = self._live.stat().st_mtime_ns
        except OSError:
            return None
        if written == self._live_seen:
            return None
        self._live_seen = written
        return read_record(self._live, LiveLog)

    def close(self) -> None:
        """Let go of the file. A later `read` opens it anew."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._rewind()

    def _open(self) -> bool:
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        return True

    def _rewind(self) -> None:
        self._number = 0  # of the last line handed out or passed over
        self._dropped = 0  # numbers after that for which there are no lines
        self._offset = 0  # up to here the file has been read
        self._ready: deque[bytes] = deque()  # whole lines that wait to be asked for
        self._line = b""  # the beginning of a line whose newline has not come yet, as far as it is kept

    def _next(self, whole: bool) -> bytes | None:
        while not self._ready:
            chunk = os.pread(self._fd, _CHUNK, self._offset)
            if not chunk:
                if not whole or not self._line:
                    return None
                self._ready.append(self._line)
                self._line = b""
                break
            self._offset += len(chunk)
            head, *others = chunk.split(b"\n")
            self._line = (self._line + head)[: LINE_BYTES + 1]
            if others:
                self._ready.append(self._line)
                self._ready.extend(others[:-1])
                self._line = others[-1][: LINE_BYTES + 1]
        return self._ready.popleft()


def count_lines(path: Path) -> int:
    """The number of the last line that a `LogReader` finds in the finished log, or of what was dropped after it."""
    reader, number = LogReader(path), 0
    try:
        while lines := reader.read(number, 10_000, whole=True):
            number += len(lines)
            number += reader.dropped_after(number)
    finally:
        reader.close()
    return number


def last_line(output: bytes) -> str:
    """The last line that says something, cut to the length of a message; empty if there is none."""
    for line in reversed(output.decode("utf-8", "replace").splitlines()):
        if line.strip():
            return line.strip()[:300]
    return ""


def _text(line: bytes) -> str:
    text = line[:LINE_BYTES].decode("utf-8", "replace").removesuffix("\r")
    return f"{text} [cut: the line is longer than {LINE_BYTES} bytes]" if len(line) > LINE_BYTES else text


def _add(number: int, lines: int) -> int:
    return min(number + lines, _LARGEST_NUMBER)


def _after(text: bytes, lines: int) -> int:
    """Where the line after so many begins; the end when there are no more than that."""
    if lines <= 0:
        return 0
    parts = text.split(b"\n", lines)
    return len(text) - len(parts[lines]) if len(parts) > lines else len(text)


def _fitting(text: bytes, most_bytes: int, most_lines: int) -> int:
    """How many of these bytes are whole lines within both."""
    if most_bytes <= 0 or most_lines <= 0:
        return 0
    end = len(text) if len(text) <= most_bytes else text.rfind(b"\n", 0, most_bytes) + 1
    return min(end, _after(text, most_lines))
