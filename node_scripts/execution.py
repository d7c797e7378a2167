"""One attempt from its slot to its end: prepared, launched, followed while it runs, its results stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from node_scripts.ability import Ability
from node_scripts.held import Held
from node_scripts.journal import Journal
from node_scripts.logtail import LogFollower, LogTail
from node_scripts.outbox import Outbox
from node_scripts.running.interface import AttemptEnded, Ended, Prepared, Runner, RunningAttempt
from node_scripts.stages import Stages
from wire.messages import Cause, Started

_log = logging.getLogger(__name__)

_FINISH_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

PREPARE_S: Final = 3600.0
"""An attempt that is not ready by then is rejected, for another node to try: twice what an installation may take."""

CANCELLED: Final = Ended(Cause.CANCELLED, "cancelled before it was started")


class Execution:
    """Sees attempts through, each in a task of its own, and tells what happens on the way."""

    def __init__(
        self,
        runner: Runner,
        journal: Journal,
        outbox: Outbox,
        follower: LogFollower,
        now: Callable[[], float],
        ability: Ability,
    ) -> None:
        self._runner = runner
        self._ability = ability
        self._journal = journal
        self._outbox = outbox
        self._follower = follower
        self._now = now
        self.stopping = False
        """The agent lets go of everything: what is cancelled now goes on at the next start."""

    def adopt(self, held: Held, running: RunningAttempt, at: float, lines_confirmed: int | None = None) -> None:
        """Tell that its process runs, since `at`, and follow its log.

        `lines_confirmed`: of an attempt that an earlier start followed, and it goes on behind them.
        """
        held.running = running
        held.started_at = at
        held.tail = LogTail(running, self._outbox, self._journal, self._now, lines_confirmed)
        if not running.never_ran:
            self._outbox.put(Started(*held.key, at))
        self._follower.add(held.tail)

    async def run(self, held: Held) -> Ended:
        """From its slot, or its adoption, to how it ended. Nothing of it runs any more when this returns.

        Whether a rejection is the node's own fault is made sure of before anybody hears of it.
        """
        ended = await self._run(held)
        return await self._ability.judged(held.order, ended) if ended.cause is Cause.REJECTED else ended

    async def _run(self, held: Held) -> Ended:
        try:
            running = held.running or await self._launch(held)
            await running.wait()
            if held.tail is not None:
                self._follower.remove(held.tail)
            return await self._finish(held, running)
        except AttemptEnded as end:
            return end.ended
        except asyncio.CancelledError:
            if not held.cancel_wanted or held.running is not None or self.stopping:
                raise
            if held.task is not None:
                held.task.uncancel()
            return CANCELLED
        except Exception as error:
            _log.exception("an attempt could not be run", extra=held.fields())
            if held.running is not None:
                with suppress(Exception):
                    held.running.cancel()
                    await held.running.wait()
            return Ended(Cause.REJECTED, f"the node could not run it: {error}")

    async def _launch(self, held: Held) -> RunningAttempt:
        if held.cancel_wanted:
            raise AttemptEnded(CANCELLED)
        held.preparing = True
        try:
            prepared = await self._prepare(held)
            if held.slot_noted is not None:
                await held.slot_noted
        finally:
            held.preparing = False
        # No waiting between here and the launch, so neither of these can change meanwhile.
        if held.cancel_wanted:
            raise AttemptEnded(CANCELLED)
        held.launching = True
        try:
            running = await self._runner.launch(prepared)
        finally:
            held.launching = False
        at = self._now()
        self._journal.note_started(held.key, at)
        self.adopt(held, running, at)
        if self.stopping:
            raise asyncio.CancelledError
        if held.cancel_wanted:
            running.cancel()
        return running

    async def _prepare(self, held: Held) -> Prepared:
        """Ready to launch. It may take `PREPARE_S`."""
        with Stages(held.key, self._outbox.put, self._now, within_s=PREPARE_S) as stages:
            try:
                async with asyncio.timeout(PREPARE_S) as limit:
                    return await self._runner.prepare(held.order, held.slot or 0, stages)
            except TimeoutError as error:
                if not limit.expired():
                    raise
                words = f"it was not ready after {PREPARE_S / 60:.0f} minutes: the node was {stages.words}"
                raise AttemptEnded(Ended(Cause.REJECTED, words)) from error

    async def _finish(self, held: Held, running: RunningAttempt) -> Ended:
        """The results onto the share, which is told where it takes long."""
        with Stages(held.key, self._outbox.put, self._now) as stages:
            stages("storing the results")
            return await self._store(held, running)

    async def _store(self, held: Held, running: RunningAttempt) -> Ended:
        """A share that is away for a minute is no reason to throw results away."""
        for pause in (*_FINISH_PAUSES_S, None):
            try:
                return await running.finish()
            except OSError as error:
                if held.cancel_wanted:
                    return Ended(Cause.CANCELLED, "cancelled while its results could not be stored")
                if pause is None:
                    return Ended(Cause.REJECTED, f"its results could not be stored: {error}")
                _log.warning("results cannot be stored, trying again: %s", error, extra=held.fields())
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")
