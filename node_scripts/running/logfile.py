"""The attempt's log: written by the keeper up to a bound, read and numbered by the agent."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Final

LINE_BYTES: Final = 8192
_CHUNK: Final = 65536
_TAIL_BYTES: Final = 4096
_ROUNDS: Final = 16


class LogSink:
    """The keeper's end: takes what the app writes into its pipe to the log file, until the file has `limit` bytes.

    What comes after that is read and dropped, so that the app runs on; one line in the log says so.
    """

    def __init__(self, pipe: int, log: int, limit: int) -> None:
        self._pipe = pipe
        self._log = log
        self._left = limit - os.fstat(log).st_size
        self._dropping = False
        self.tail = b""
        """The last few kilobytes the app wrote, dropped ones too."""
        os.set_blocking(pipe, False)

    def pump(self, rounds: int = _ROUNDS) -> bool:
        """Take over what is there, a bounded amount. False once every writer is gone."""
        for _ in range(rounds):
            try:
                chunk = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self.tail = (self.tail + chunk)[-_TAIL_BYTES:]
            self._write(chunk)
        return True

    def _write(self, chunk: bytes) -> None:
        if self._dropping:
            return
        if len(chunk) > self._left:
            self._dropping = True
            notice = b"\n[skerry] the log has reached its bound: what the app writes from here on is dropped\n"
            chunk = chunk[: max(0, self._left)] + notice
        self._left -= len(chunk)
        try:
            while chunk:
                chunk = chunk[os.write(self._log, chunk) :]
        except OSError:
            # A full disk must not end the app, whose results may need none of it. The log ends here.
            self._dropping = True


class LogReader:
    """The agent's end: the lines of a log that still grows, numbered from 1. Reads on from where it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._rewind()

    def read(self, after: int, limit: int, *, whole: bool = False) -> list[str]:
        """Up to `limit` complete lines from number `after + 1` on; with `whole` also a last one that has no newline."""
        if after < self._number:
            self._rewind()
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return []
        lines: list[str] = []
        while len(lines) < limit:
            line = self._next(whole)
            if line is None:
                break
            self._number += 1
            if self._number > after:
                lines.append(line)
        return lines

    def close(self) -> None:
        """Let go of the file. A later `read` opens it anew."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._rewind()

    def _rewind(self) -> None:
        self._number = 0  # of the last line handed out or passed over
        self._offset = 0  # up to here the file has been read
        self._ready: deque[bytes] = deque()  # whole lines that wait to be asked for
        self._line = b""  # the beginning of a line whose newline has not come yet, as far as it is kept

    def _next(self, whole: bool) -> str | None:
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
        return _text(self._ready.popleft())


def count_lines(path: Path) -> int:
    """How many lines a `LogReader` finds in the finished log."""
    lines, last = 0, b"\n"
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                lines += chunk.count(b"\n")
                last = chunk[-1:]
    except FileNotFoundError:
        return 0
    return lines + (last != b"\n")


def last_line(output: bytes) -> str:
    """The last line that says something, cut to the length of a message; empty if there is none."""
    for line in reversed(output.decode("utf-8", "replace").splitlines()):
        if line.strip():
            return line.strip()[:300]
    return ""


def _text(line: bytes) -> str:
    text = line[:LINE_BYTES].decode("utf-8", "replace").removesuffix("\r")
    return f"{text} [cut: the line is longer than {LINE_BYTES} bytes]" if len(line) > LINE_BYTES else text
