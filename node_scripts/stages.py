"""What an attempt is at, told to the scheduler where it takes long.

An attempt that is ready within half a second tells nothing, and one that takes longer tells twice a second at most,
each time the newest: so it costs hardly anything, whatever a runner says. An event that is lost is made up for by the
next. Times are the node's own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from node_scripts.journal import Key
from wire.messages import Preparing

PAUSE_S: Final = 0.5
_LONGEST: Final = 200


class Stages:
    """Call it with a stage and what of it is under way, from any thread; it tells until its `with` block ends."""

    def __init__(
        self,
        key: Key,
        put: Callable[[Preparing], None],
        now: Callable[[], float],
        *,
        within_s: float | None = None,
    ) -> None:
        """Made in the event loop's thread. `within_s` is how long all of it may take."""
        self._key = key
        self._put = put
        self._now = now
        self._until = None if within_s is None else now() + within_s
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._what = self._detail = ""
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def __enter__(self) -> Stages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    def __call__(self, what: str, detail: str = "") -> None:
        if threading.get_ident() == self._thread:
            self._note(what, detail)
        else:
            self._loop.call_soon_threadsafe(self._note, what, detail)

    @property
    def words(self) -> str:
        """The stage it is at."""
        return f"{self._what} ({self._detail})" if self._detail else self._what or "about to begin"

    def _note(self, what: str, detail: str) -> None:
        if self._over or (what, detail) == (self._what, self._detail):
            return
        if what != self._what:
            self._since = self._now()
        self._what, self._detail = what, detail
        if self._timer is None:
            self._timer = self._loop.call_later(PAUSE_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._put(
            Preparing(
                *self._key,
                at=self._now(),
                what=self._what[:_LONGEST],
                detail=self._detail[:_LONGEST],
                since=self._since,
                until=self._until,
            )
        )
