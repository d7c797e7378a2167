"""Sending what a turn decided, and what the broker answers: the scheduler's own notes for a later turn."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Final

from webfront.scheduling.entries import Key
from webfront.scheduling.events import Conclusion
from webfront.scheduling.given import Input, Output
from wire import topology
from wire.broker import Broker, BrokerError, Unroutable
from wire.messages import Cancel, Cause, Submitted, encode

_log = logging.getLogger(__name__)

_NOTE_S: Final = 0.2
"""How long the broker's confirms may wait for a turn that notes them."""


class Sending:
    """On the broker's event loop."""

    def __init__(self, broker: Broker, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        """`wake` has a turn soon."""
        self._broker = broker
        self._clock = clock
        self._wake = wake
        self._conclusions: list[Conclusion] = []
        self._published: list[tuple[Key, float]] = []
        self._note_timer: asyncio.TimerHandle | None = None
        self.in_flight: set[Key] = set()
        """Orders whose confirm is awaited."""

    def take_notes(self) -> Input:
        """The notes so far, for a turn that takes them whole."""
        given = Input(conclusions=self._conclusions, published=self._published)
        self._conclusions, self._published = [], []
        return given

    def give_back(self, conclusions: list[Conclusion], published: list[tuple[Key, float]]) -> None:
        """They were not applied."""
        self._conclusions[:0] = conclusions
        self._published[:0] = published

    def send(self, output: Output) -> None:
        """Publish orders, cancels and fences."""
        for node, order in output.orders:
            key = (order.job, order.attempt)
            self.in_flight.add(key)
            future = self._broker.publish(topology.JOBS, node, encode(order), mandatory=True)
            future.add_done_callback(functools.partial(self._order_done, key, node))
        for one in sorted(output.cancels):
            message = encode(Cancel(job=one.job, attempt=one.attempt))
            self._broker.publish_unconfirmed(topology.CONTROL, one.node, message)
        for token in output.fences:
            self._broker.publish(topology.EVENTS, "", encode(Submitted(job=token)))

    def _order_done(self, key: Key, node: str, future: asyncio.Future[None]) -> None:
        self.in_flight.discard(key)
        error: BaseException | None = None
        with contextlib.suppress(asyncio.CancelledError):
            error = future.exception()
        if error is None and not future.cancelled():
            self._published.append((key, self._clock()))
            # No hurry: until it is noted, a successor would merely publish it again.
            if self._note_timer is None:
                self._note_timer = asyncio.get_running_loop().call_later(_NOTE_S, self._note)
        elif isinstance(error, Unroutable):
            words = f"{node} has no queue that takes its orders"
            self._conclusions.append(Conclusion(*key, Cause.REJECTED, words, only_unclaimed=True))
            self._wake()
        elif isinstance(error, BrokerError):
            _log.debug("an order to %s was not confirmed: %s", node, error)

    def _note(self) -> None:
        self._note_timer = None
        if self._published:
            self._wake()
