"""Letting go of attempts whose end the broker has: their folders, and then their rows in the journal.

The folder goes before the row: an agent that dies in between sends the end once more, which changes nothing, whereas a
folder without a row would stay for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from node_scripts.held import Held
from node_scripts.journal import Journal
from node_scripts.running.interface import Runner

_log = logging.getLogger(__name__)

_STOP_S: Final = 3.0


class Discarding:
    def __init__(self, runner: Runner, journal: Journal, on_failure: Callable[[BaseException], None]) -> None:
        self._runner = runner
        self._journal = journal
        self._on_failure = on_failure
        self._waiting: list[Held] = []
        self._removing: list[Held] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, held: Held) -> None:
        """Let go of this one; those that come meanwhile are let go of together."""
        self._waiting.append(held)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._discard())
            self._task.add_done_callback(self._ended)

    def under_way(self) -> list[Held]:
        """Those whose folders may still stand, or are being removed."""
        return [*self._removing, *self._waiting]

    async def done(self) -> None:
        """Return when all so far is out of the journal's hands, after a few seconds in any case."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_STOP_S)

    async def _discard(self) -> None:
        while self._waiting:
            confirmed, self._waiting = self._waiting, []
            self._removing = confirmed
            await asyncio.to_thread(self._remove_folders, confirmed)
            self._removing = []
            self._journal.end([held.key for held in confirmed])

    def _remove_folders(self, confirmed: Sequence[Held]) -> None:
        for held in confirmed:
            try:
                if held.running is not None:
                    held.running.discard()
                else:
                    self._runner.forget(held.order)
            except Exception:
                # Whatever an app has left there, the next attempt is not held up by it.
                _log.exception("an attempt's folder cannot be removed", extra=held.fields())

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)
