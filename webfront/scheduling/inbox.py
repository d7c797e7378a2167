"""What has come from the broker and is not applied yet, and how it is acknowledged."""

from __future__ import annotations

import collections
import dataclasses
import enum
import itertools
import logging

from webfront.scheduling.events import Conclusion
from webfront.scheduling.turn import Input
from wire import topology
from wire.broker import Broker, Delivery
from wire.messages import AnyMessage, Cause, Events, Heartbeat, MessageError, Order, Submitted, decode

_log = logging.getLogger(__name__)


class Source(enum.Enum):
    """The queues the scheduler reads, with how many messages it holds of each at a time."""

    HINTS = (topology.SUBMITTED, 2000)
    EVENTS = (topology.EVENTS, 1000)
    HEARTBEATS = (topology.HEARTBEATS, 500)
    DEAD = (topology.DEAD, 200)

    def __init__(self, queue: str, prefetch: int) -> None:
        self.queue = queue
        self.prefetch = prefetch


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One message, decoded; None for one that cannot be read, which is only acknowledged."""

    source: Source
    delivery: Delivery
    message: AnyMessage | None


class Inbox:
    """Messages by their queue, in the order they came."""

    def __init__(self, own_user: str) -> None:
        self._own_user = own_user
        self._items: dict[Source, collections.deque[Item]] = {source: collections.deque() for source in Source}

    def put(self, source: Source, delivery: Delivery) -> None:
        """Take a delivery in. What cannot be read is logged here and changes nothing later."""
        message: AnyMessage | None = None
        if source is not Source.HINTS:  # a hint's coming is all there is to it
            try:
                message = decode(delivery.body)
            except MessageError as error:
                _log.warning(
                    "a message on %s cannot be read: %s", source.queue, error, extra={"user.name": delivery.user_id}
                )
        self._items[source].append(Item(source, delivery, message))

    def __bool__(self) -> bool:
        return any(self._items.values())

    def clear(self) -> None:
        """The connection is gone: the broker delivers everything again that was not acknowledged."""
        for items in self._items.values():
            items.clear()

    def oldest(self, limit: int) -> list[Item]:
        """The first `limit` of each queue, which stay here until `done`."""
        return [item for items in self._items.values() for item in itertools.islice(items, limit)]

    def done(self, items: list[Item], broker: Broker) -> None:
        """Acknowledge these, the first ones of their queues, with one acknowledgement for each queue."""
        last: dict[Source, Item] = {}
        for item in items:
            held = self._items[item.source]
            if held and held[0] is item:
                held.popleft()
                last[item.source] = item
        for item in last.values():
            broker.ack(item.delivery, multiple=True)

    def read_into(self, items: list[Item], given: Input) -> None:
        """Sort messages into a turn's input by what they are and, above all, by who the broker says sent them."""
        for item in items:
            message, sender = item.message, item.delivery.user_id
            node = topology.node_of_user(sender)
            match message:
                case Events() if node is not None and item.source in (Source.EVENTS, Source.DEAD):
                    given.events.append((node, message))
                case Heartbeat() if node is not None and item.source is Source.HEARTBEATS:
                    given.beats.append((node, message))
                case Submitted() if sender == self._own_user and item.source is Source.EVENTS:
                    given.fences.append(message.job)
                case Order() if sender == self._own_user and item.source is Source.DEAD:
                    words = "the node did not take the order, however often it was delivered"
                    given.conclusions.append(
                        Conclusion(message.job, message.attempt, Cause.REJECTED, words, only_unclaimed=True)
                    )
                case None | Submitted():
                    pass
                case _:
                    _log.warning(
                        "a %s on %s from the user %s is not for this queue",
                        type(message).__name__,
                        item.source.queue,
                        sender,
                        extra={"user.name": sender},
                    )
