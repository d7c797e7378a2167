"""What the person sees: each step with its time."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

_WIDTH: Final = 58


class Console:
    """Prints steps; on a terminal a running step shows what it does."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # The bootstrap began earlier, and says when.
        self._begun = float(os.environ.get("SKERRY_QUICKSTART_BEGUN") or clock())
        self._terminal = sys.stdout.isatty()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """One step; gives a function that notes what is being done, and tells the step's time at its end."""
        begun = self._clock()
        self._show(f"  ...   {name}")
        notes: list[str] = []

        def note(text: str) -> None:
            notes.append(text)
            self._show(f"  ...   {name}: {text}")

        try:
            yield note
        except BaseException:
            self._line(f"  FAIL  {name}", begun)
            raise
        self._line(f"  ok    {name}", begun)

    def say(self, text: str = "") -> None:
        """Lines for the person."""
        self._clear()
        print(text, flush=True)

    @property
    def total_s(self) -> float:
        """Seconds since ./quickstart was called."""
        return self._clock() - self._begun

    def _line(self, text: str, begun: float) -> None:
        self._clear()
        print(f"{text:<{_WIDTH}}{self._clock() - begun:7.1f} s", flush=True)

    def _show(self, text: str) -> None:
        if self._terminal:
            print(f"\r\033[K{text[:100]}", end="", flush=True)

    def _clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="")
