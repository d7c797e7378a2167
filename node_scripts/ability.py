"""Whether the node can take attempts at all, by its own word: looked at when it refuses one, and now and then.

An attempt that was rejected is the node's own fault where a look, made right then, finds what is wrong with the node;
then it counts as one that never ran, and the node is **unable** until a later look finds nothing. Heartbeats say so in
between, and the controller sets the node aside. Looks go on by themselves: often at first, then ever more rarely, and
no more often again for a node that has been able only for a while. Nothing of this is on disk, which may be what is
full: a start begins with a look, before its first heartbeat.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from node_scripts.running.interface import Ended, Refused, Runner
from wire.messages import Order, Unable
from wire.refusals import Refusal, words_for

_log = logging.getLogger(__name__)

EVERY_S: Final = 30.0
"""While it is able."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0
"""While it is unable."""
STEADY_S: Final = 600.0
"""A node that has been able for so long is looked at often again when it is not."""
PATIENCE_S: Final = 5.0

_NO_ANSWER: Final = Refused(Refusal.NO_SHARE, f"its disk or the share has not answered within {PATIENCE_S:.0f} s")


class Ability:
    """What the node cannot do now."""

    def __init__(self, runner: Runner, now: Callable[[], float], changed: Callable[[], None]) -> None:
        """`changed` is called when it has become able or unable, or unable for another reason."""
        self._runner = runner
        self._now = now
        self._changed = changed
        self._looking: asyncio.Future[tuple[Refused, ...]] | None = None
        self._turn = asyncio.Lock()
        self._pause = FIRST_PAUSE_S
        self._able_since: float | None = None
        self._doubted = asyncio.Event()
        self.unable: tuple[Unable, ...] = ()

    async def begin(self) -> None:
        """The first look, before anything is told."""
        self._take(await self._look(None, thorough=True))

    async def judged(self, order: Order, ended: Ended) -> Ended:
        """The end of a rejected attempt, with the refusal where the fault is the node's own."""
        if ended.refusal:  # found where it ran
            self._take((Refused(ended.refusal, ""),))
            return ended
        found = await self._look(order, thorough=True)
        if not found:
            return ended
        self._take(found)
        words = words_for(found[0].kind, found[0].words)
        return msgspec.structs.replace(ended, refusal=found[0].kind, message=f"the node {words}: {ended.message}")

    def note(self, kind: str, words: str) -> None:
        """Something has just failed that every attempt needs."""
        self._take((Refused(kind, words),))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            pause = self._pause if self.unable else EVERY_S
            self._doubted.clear()
            try:
                # Woken when it has become unable: the pause is another one then.
                await asyncio.wait_for(self._doubted.wait(), pause)
            except TimeoutError:
                was_unable = bool(self.unable)
                self._take(await self._look(None, thorough=was_unable))
                if was_unable and self.unable:
                    self._pause = min(2 * self._pause, LONGEST_PAUSE_S)

    async def _look(self, besides: Order | None, *, thorough: bool) -> tuple[Refused, ...]:
        """One at a time. A disk or share that hangs is waited for no longer than `PATIENCE_S`, and asked once."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            if self._looking is None:
                call = functools.partial(self._runner.refusals, besides, thorough=thorough)
                self._looking = loop.run_in_executor(None, call)
            done, _ = await asyncio.wait([self._looking], timeout=PATIENCE_S)
            if not done:
                return (_NO_ANSWER,)
            looked, self._looking = self._looking, None
            try:
                return looked.result()
            except Exception:
                # What keeps it from looking need not keep it from running attempts.
                _log.exception("the node's own checks have failed")
                return ()

    def _take(self, found: tuple[Refused, ...]) -> None:
        time = asyncio.get_running_loop().time()
        before = {one.kind: one for one in self.unable}
        if not found:
            if before:
                self._able_since = time
                self.unable = ()
                _log.info("the node can take attempts again", extra={"event.action": "node.able"})
                self._changed()
            return
        now = self._now()
        since = {one.kind: before[one.kind].since if one.kind in before else now for one in found}
        self.unable = tuple(Unable(one.kind, one.words, since[one.kind]) for one in found)
        if set(before) == set(since):
            return
        if not before:
            steady = self._able_since is None or time - self._able_since > STEADY_S
            self._pause = FIRST_PAUSE_S if steady else min(2 * self._pause, LONGEST_PAUSE_S)
        words = "; ".join(words_for(one.kind, one.words) for one in found)
        _log.warning(
            "the node %s, and refuses attempts until it can again", words, extra={"event.action": "node.unable"}
        )
        self._doubted.set()
        self._changed()
