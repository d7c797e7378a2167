"""The broker's queues, and who consumes from them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wire.broker import Delivery

from .network import Message

if TYPE_CHECKING:
    from .connections import SimulatedChannel
    from .rabbit import Rabbit, Session


class Queue:
    """One queue: what waits, who consumes, and what its arguments say."""

    def __init__(self, rabbit: Rabbit, name: str, arguments: Mapping[str, Any] | None, owner: Session | None) -> None:
        given = arguments or {}
        self.name = name
        self.owner = owner
        self.ready: collections.deque[Message] = collections.deque()
        self.consumers: list[Consumer] = []
        self._rabbit = rabbit
        self._limit: int | None = given.get("x-delivery-limit")
        self._dead_letters: str | None = given.get("x-dead-letter-exchange")
        self._longest: int | None = given.get("x-max-length")
        ttl: int | None = given.get("x-message-ttl")
        self._ttl_s = None if ttl is None else ttl / 1000
        self._one_consumer = bool(given.get("x-single-active-consumer"))

    def unsettled(self) -> int:
        """How many messages it holds, delivered or not."""
        return len(self.ready) + sum(len(one.unacknowledged) for one in self.consumers)

    def put(self, message: Message) -> None:
        if self._ttl_s is not None:
            message.expires_at = self._rabbit.timeline.now + self._ttl_s
        self.ready.append(message)
        if len(self.ready) > 1 and self._rabbit.chance(self._rabbit.weather.reordered):
            self.ready[-1], self.ready[-2] = self.ready[-2], self.ready[-1]
        if self._longest is not None and len(self.ready) > self._longest:
            self.ready.popleft()
        self.pump()

    def give_back(self, messages: list[Message]) -> None:
        """Put these to the front again, in their order; what was delivered too often goes to the dead letters."""
        for message in reversed(messages):
            message.deliveries += 1
            if self._limit is None or message.deliveries <= self._limit:
                self.ready.appendleft(message)
            elif self._dead_letters is not None:
                self._rabbit.route(dataclasses.replace(message, exchange=self._dead_letters, deliveries=0))
        self.pump()

    def reject(self, message: Message) -> None:
        if self._dead_letters is not None:
            self._rabbit.route(dataclasses.replace(message, exchange=self._dead_letters, deliveries=0))

    def pump(self) -> None:
        for consumer in self.consumers[:1] if self._one_consumer else self.consumers:
            while self.ready and consumer.has_room:
                message = self.ready.popleft()
                if message.expires_at is None or message.expires_at > self._rabbit.timeline.now:
                    consumer.deliver(message)


class Consumer:
    """A channel's consumer, as the broker has it."""

    def __init__(
        self, queue: Queue, channel: SimulatedChannel, on_delivery: Callable[[Delivery], None], prefetch: int
    ) -> None:
        self._queue = queue
        self._channel = channel
        self._on_delivery = on_delivery
        self._prefetch = prefetch
        self._tag = 0
        self.unacknowledged: dict[int, Message] = {}

    @property
    def has_room(self) -> bool:
        return len(self.unacknowledged) < self._prefetch

    def deliver(self, message: Message) -> None:
        self._tag += 1
        tag = self._tag
        self.unacknowledged[tag] = message
        delivery = Delivery(
            message.body, message.user, message.deliveries > 0, dict(message.headers), self._channel.as_pika(), tag
        )
        self._channel.session.down(lambda: self._receive(delivery))

    def _receive(self, delivery: Delivery) -> None:
        if self._channel.is_open and self._channel.session.client.effect():
            self._on_delivery(delivery)

    def settle(self, tag: int, *, multiple: bool) -> list[Message]:
        tags = [one for one in self.unacknowledged if one <= tag] if multiple else [tag]
        return [self.unacknowledged.pop(one) for one in tags if one in self.unacknowledged]

    def acknowledge(self, tag: int, multiple: bool) -> None:
        for message in self.settle(tag, multiple=multiple):
            self._channel.session.rabbit.acknowledged(self._channel.session.client, message)
        self._queue.pump()

    def refuse(self, tag: int, requeue: bool) -> None:
        for message in self.settle(tag, multiple=False):
            if requeue:
                self._queue.give_back([message])
            else:
                self._queue.reject(message)
        self._queue.pump()

    def end(self) -> None:
        self._queue.consumers.remove(self)
        messages, self.unacknowledged = list(self.unacknowledged.values()), {}
        self._queue.give_back(messages)
