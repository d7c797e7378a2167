"""What a scheduler that takes over asks of the broker's management API. Nothing of it is waited for for long."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from typing import Final

from webfront.broker.standing import Standing

_log = logging.getLogger(__name__)

_UP_FOR_S: Final = 60.0
"""A broker that is up for so long has not just been restarted."""
_ASKING_S: Final = 1.0
_EVICTIONS_S: Final = (0.0, 2.0, 4.0)
"""Pauses before each try: a young connection may not be in the broker's list yet."""


def connection_name(holder: str) -> str:
    """As the broker's list of connections shows a scheduler."""
    return f"skerry scheduler {holder}"


class Takeover:
    """One after another, of the scheduler `holder`."""

    def __init__(self, standing: Standing, holder: str) -> None:
        self._standing = standing
        self._holder = holder
        self._evicting: asyncio.Task[None] | None = None

    async def is_same_broker(self) -> bool:
        """Whether the broker is known to have been up for a while."""
        with contextlib.suppress(TimeoutError):
            up_for = await asyncio.wait_for(asyncio.to_thread(self._standing.up_for), _ASKING_S)
            return up_for is not None and up_for > _UP_FOR_S
        return False

    def evict(self, former: str) -> None:
        """Have the broker close what the former leader holds, so that what comes is delivered here. Returns at once."""
        self.end()
        if former:
            self._evicting = asyncio.create_task(self._evict(former))

    def end(self) -> None:
        """Do no more."""
        if self._evicting is not None:
            self._evicting.cancel()

    async def _evict(self, former: str) -> None:
        # One that leads again has a connection that must stay; what is left of its last term may be there beside it.
        close = functools.partial(self._standing.evict, connection_name(former), but_the_newest=former == self._holder)
        for pause in _EVICTIONS_S:
            await asyncio.sleep(pause)
            if await asyncio.to_thread(close):
                _log.warning("the connection of the scheduler that led before, %s, is closed", former)
