"""What every lane offers the measurements."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

WORKERS = 2
"""Slots of Skerry's node, worker processes of the peers."""

DEADLINE_S = 300.0


class Lane(Protocol):
    """One contestant. `start` brings its processes up and waits until one job went through."""

    name: str

    def start(self) -> None: ...

    def submit(self, count: int) -> None:
        """Submit `count` no-op jobs one after the other, each safe when the call that submits it returns."""

    def outcomes(self) -> int:
        """How many outcomes its database holds."""

    def starts(self) -> list[int]:
        """`time.monotonic_ns()` of each start at the worker so far, in the order of the starts."""

    def stop(self) -> None: ...


def wait_until(condition: Callable[[], bool], what: str, pause: float = 0.005) -> None:
    """Poll until it holds; `RuntimeError` naming `what` after five minutes."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"gave up waiting for {what}")
        time.sleep(pause)


class StartFile:
    """Where the workers of a lane note when they started: eight bytes per start, appended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def read(self) -> list[int]:
        data = self.path.read_bytes()
        return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data) - 7, 8)]

    def count(self) -> int:
        return self.path.stat().st_size // 8


def note_start(path: str) -> None:
    """Called by a worker at the beginning of a job."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, time.monotonic_ns().to_bytes(8, "little"))
    finally:
        os.close(descriptor)


class Rows:
    """Counts the rows of a table, through one read-only connection."""

    def __init__(self, path: Path, query: str) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._query = query

    def count(self) -> int:
        (count,) = self._connection.execute(self._query).fetchone()
        return int(count)


class Processes:
    """The processes of a lane, with their output in its directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self._directory / f"{name}.log").open("ab") as output:
            self._running.append(
                subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
            )

    def stop(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
