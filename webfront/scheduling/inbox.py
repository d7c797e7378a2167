"""What comes from the broker, read, and sorted into what a turn takes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from webfront.broker.consuming import Item, Source
from webfront.broker.unread import Unread
from webfront.scheduling.events import Conclusion
from webfront.scheduling.given import Input
from wire import topology
from wire.batches import UnreadEvent, decode_readable
from wire.broker import Delivery
from wire.messages import AnyMessage, Cause, Events, Heartbeat, MessageError, Order, Submitted

HINTS: Final = Source(topology.SUBMITTED, prefetch=2000)
EVENTS: Final = Source(topology.EVENTS, prefetch=1000)
HEARTBEATS: Final = Source(topology.HEARTBEATS, prefetch=500)
DEAD: Final = Source(topology.DEAD, prefetch=200)
SOURCES: Final = (HINTS, EVENTS, HEARTBEATS, DEAD)


class Content(NamedTuple):
    """What could be read of a message; None for one that is only acknowledged."""

    message: AnyMessage | None
    unread: tuple[UnreadEvent, ...] = ()


_NOTHING: Final = Content(None)


class Inbox:
    """Reads the scheduler's queues. What cannot be read is counted, and changes nothing but what `EventBook` says."""

    def __init__(self, own_user: str, unread: Unread, clock: Callable[[], float]) -> None:
        self._own_user = own_user
        self._unread = unread
        self._clock = clock

    def read(self, source: Source, delivery: Delivery) -> Content:
        """Read a message as it comes."""
        if source is HINTS:  # a hint's coming is all there is to it
            return _NOTHING
        try:
            message, unread = decode_readable(delivery.body)
        except MessageError as error:
            self._unread.note(f"a message on {source.queue}", "unreadable", delivery.user_id, str(error), self._clock())
            return _NOTHING
        for one in unread:
            self._unread.note("an event", one.kind, delivery.user_id, one.reason, self._clock())
        return Content(message, unread)

    def sort(self, items: Sequence[Item[Content]], given: Input) -> None:
        """Put messages into a turn's input by what they are and, above all, by who the broker says sent them."""
        for item in items:
            source, sender, message = item.source, item.delivery.user_id, item.content.message
            node = topology.node_of_user(sender)
            match message:
                case Events() if node is not None and source in (EVENTS, DEAD):
                    given.events.append((node, message))
                    given.unread.extend((node, one) for one in item.content.unread)
                case Heartbeat() if node is not None and source is HEARTBEATS:
                    given.beats.append((node, message))
                case Submitted() if sender == self._own_user and source is EVENTS:
                    given.fences.append(message.job)
                case Order() if sender == self._own_user and source is DEAD:
                    words = "the node did not take the order, however often it was delivered"
                    given.conclusions.append(
                        Conclusion(message.job, message.attempt, Cause.REJECTED, words, only_unclaimed=True)
                    )
                case None | Submitted():
                    pass
                case _:
                    kind = type(message).__name__.lower()
                    reason = "it is not for this queue"
                    self._unread.note(f"a message on {source.queue}", kind, sender, reason, self._clock())
