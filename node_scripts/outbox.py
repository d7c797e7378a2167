"""The events' way out: one message under way at a time, carrying all that had gathered when it was sent.

When nothing is under way an event leaves at once; while the broker confirms one message, the next gathers. So neither
latency nor throughput pays for the other. What was unconfirmed when a connection broke is sent again, in order; the
receiver takes second copies for nothing.

It keeps nothing on disk: each event can be told again from the journal and the attempt's folder.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Callable
from typing import Final

from wire import topology
from wire.broker import Broker, BrokerError
from wire.messages import Event, Events, LogLines, encode

_log = logging.getLogger(__name__)

_EVENTS_PER_MESSAGE: Final = 500
_TEXT_PER_MESSAGE: Final = 1_000_000
"""Characters of log lines; one event alone may pass it."""
_REFUSED_PAUSE_S: Final = 1.0

_Entry = tuple[Event, Callable[[], None] | None]


class Outbox:
    """Sends events to `skerry.events` in the order they were put in."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: collections.deque[_Entry] = collections.deque()
        self._filled = asyncio.Event()
        self._connected = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, event: Event, on_confirmed: Callable[[], None] | None = None) -> None:
        """Send this event; `on_confirmed` is called when the broker has it safe."""
        self._waiting.append((event, on_confirmed))
        self._filled.set()
        self._empty.clear()

    def connected(self) -> None:
        """The broker can be published to (again)."""
        self._connected.set()

    def lost(self) -> None:
        """The connection to the broker broke."""
        self._connected.clear()

    async def drained(self) -> None:
        """Return when everything put in so far is confirmed."""
        await self._empty.wait()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            await self._filled.wait()
            batch = self._gather()
            await self._send(encode(Events(events=tuple(event for event, _ in batch))))
            for _, on_confirmed in batch:
                if on_confirmed is not None:
                    on_confirmed()
            if not self._waiting:
                self._filled.clear()
                self._empty.set()

    def _gather(self) -> list[_Entry]:
        batch: list[_Entry] = []
        text = 0
        while self._waiting and len(batch) < _EVENTS_PER_MESSAGE:
            event, _ = self._waiting[0]
            if isinstance(event, LogLines):
                text += sum(map(len, event.lines))
                if batch and text > _TEXT_PER_MESSAGE:
                    break
            batch.append(self._waiting.popleft())
        return batch

    async def _send(self, body: bytes) -> None:
        while True:
            await self._connected.wait()
            try:
                # Mandatory: an exchange without its queue would confirm the message and drop it.
                await self._broker.publish(topology.EVENTS, "", body, mandatory=True)
            except BrokerError as error:
                if self._broker.connected:
                    _log.warning("the broker did not take the events, trying again: %s", error)
                    await asyncio.sleep(_REFUSED_PAUSE_S)
                else:
                    self._connected.clear()
            else:
                return
