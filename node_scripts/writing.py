"""When the journal is written: in a thread, so that the event loop goes on meanwhile.

What was asked for during one write goes together into the next. What is not urgent waits a second for a write that is
made anyway.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

_UNHURRIED_S: Final = 1.0
"""How long a note whose loss does little harm waits for a commit that is made anyway."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """Statements that stand or fall together, and who waits for them."""

    statements: list[tuple[str, tuple[Any, ...]]]
    done: asyncio.Future[list[Any]] | None


Write = Callable[[list[Request]], None]
"""Writes these, in their order and at once."""


class Writing(Protocol):
    """Decides when what the journal is asked for is written; nothing is before `start`."""

    def start(self) -> None:
        """Begin to write."""

    def add(self, request: Request, *, urgent: bool) -> None:
        """Have this written after all that was added before; returns at once."""

    def close(self) -> None:
        """Write what waits, and return when it is written."""


class WritingThread:
    """The `Writing` of every agent."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._requests: list[Request] = []
        self._wake = threading.Condition()
        self._urgent = False
        self._closing = False
        self._unhurried_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, request: Request, *, urgent: bool) -> None:
        with self._wake:
            self._requests.append(request)
            if urgent and not self._urgent:
                self._urgent = True
                self._wake.notify()
            elif not urgent and self._unhurried_since is None:
                self._unhurried_since = time.monotonic()
                self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while requests := self._take():
            self._write(requests)

    def _take(self) -> list[Request]:
        """Wait for something to write; nothing only when closing."""
        with self._wake:
            while not self._urgent and not self._closing:
                if self._unhurried_since is None:
                    self._wake.wait()
                    continue
                left = self._unhurried_since + _UNHURRIED_S - time.monotonic()
                if left <= 0:
                    break
                self._wake.wait(left)
            requests, self._requests = self._requests, []
            self._urgent = False
            self._unhurried_since = None
            return requests
