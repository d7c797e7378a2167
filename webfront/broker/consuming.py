"""The loop of a process that consumes: gather, apply as a batch, acknowledge; and what happens when applying fails.

Whoever uses it gives `read`, which is called once for each message as it comes, and `apply`, which makes a whole batch
true in one transaction, or raises and has changed nothing. The order, and what a death in between means:

1. A message comes, is read, and waits in memory; the broker holds it as well. Dying here changes nothing: the broker
   delivers it again.
2. `apply` commits. Dying here, the batch is delivered again although it is applied: applying a message a second time
   must change nothing.
3. The batch is acknowledged, once for each queue.
4. What `apply` returned is called: what is to be sent now. Dying before it, nobody sends it: whoever consumes must find
   it again without the message.

A message that comes to an idle consumer is applied at once, together with what the same pass of the event loop brings.
What comes while `apply` runs waits and makes the next batch; while `may_gather` says that nobody waits for the answer,
the next batch begins `gather_s` after the last one ended, and so grows.

When `apply` raises:

* one of `trouble`, the surroundings' fault (the database is away): nothing is acknowledged, and after a pause, which
  doubles up to five seconds, the same messages are tried again, for as long as it takes;
* anything else, a message's fault: after a pause they are applied one by one (`alone`) until none waits. One that fails
  alone is told in the log and acknowledged, or it would hold up all the others for ever;
* having called `stop`: nothing more is applied or acknowledged.

A broken connection takes along the right to acknowledge: what waits is forgotten, and comes again with the next one.

`apply` runs on the event loop and holds it up: batches are to be so small that this does no harm.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from wire.broker import Broker, Delivery

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A queue, and how many of its messages are held here at a time."""

    queue: str
    prefetch: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Item(Generic[_T]):
    """One message, and what `read` made of it."""

    source: Source
    delivery: Delivery
    content: _T


class Consumer(Generic[_T]):
    """Consumes some queues of one broker. All of it happens on the broker's event loop."""

    def __init__(
        self,
        broker: Broker,
        sources: Sequence[Source],
        *,
        read: Callable[[Source, Delivery], _T],
        apply: Callable[[Sequence[Item[_T]], bool], Callable[[], None]],
        trouble: tuple[type[Exception], ...],
        on_trouble: Callable[[Exception], None],
        may_gather: Callable[[], bool] = lambda: False,
        batch: int = 300,
        gather_s: float = 0.012,
    ) -> None:
        """`apply(items, alone)` is given up to `batch` messages of each queue, in the order they came.

        After `wake` there may be none. `alone` says that it is one message by itself, after a failure.
        """
        self._broker = broker
        self._waiting: dict[Source, collections.deque[Item[_T]]] = {one: collections.deque() for one in sources}
        self._read = read
        self._apply = apply
        self._trouble = trouble
        self._on_trouble = on_trouble
        self._may_gather = may_gather
        self._batch = batch
        self._gather_s = gather_s
        self._working = False
        self._stopped = False
        self._scheduled = False
        self._one_by_one = False
        self._ended_at = 0.0
        self._pause = 0.0
        self._paused = False

    @property
    def working(self) -> bool:
        """Whether it has begun, and the connection stands."""
        return self._working and self._broker.connected

    async def begin(self) -> None:
        """Connected: consume. The first batch is taken even if nothing comes. Raises `BrokerError`.

        After `stop` it does nothing: what begins may be on its way when the end comes.
        """
        if self._stopped:
            return
        self._working = True
        self.wake()
        for source in self._waiting:
            receive = functools.partial(self._receive, source)
            await self._broker.consume(source.queue, receive, prefetch=source.prefetch)

    def lost(self) -> None:
        """The connection broke: the broker delivers everything again that was not acknowledged."""
        self._working = False
        self._one_by_one = False
        for items in self._waiting.values():
            items.clear()

    def stop(self) -> None:
        """Apply nothing more, for good: what was not applied stays with the broker."""
        self._stopped = True
        self._working = False

    def wake(self) -> None:
        """Have a batch soon, though it may be empty: after everything that this pass of the event loop still brings."""
        if self._working and not self._scheduled and not self._paused:
            self._scheduled = True
            loop = asyncio.get_running_loop()
            early = self._ended_at + self._gather_s - loop.time()
            if early > 0 and self._may_gather():
                loop.call_later(early, self._turn)
            else:
                loop.call_soon(self._turn)

    def _receive(self, source: Source, delivery: Delivery) -> None:
        self._waiting[source].append(Item(source, delivery, self._read(source, delivery)))
        self.wake()

    def _turn(self) -> None:
        self._scheduled = False
        if self.working:
            self._take_batch()
        self._ended_at = asyncio.get_running_loop().time()
        if any(self._waiting.values()):
            self.wake()

    def _take_batch(self) -> None:
        items = self._oldest(1)[:1] if self._one_by_one else self._oldest(self._batch)
        alone = self._one_by_one and bool(items)
        try:
            follow = self._apply(items, alone)
        except Exception as error:
            if self._working:
                self._came_to_nothing(error, items, alone=alone)
            return
        self._pause = 0.0
        self._acknowledge(items)
        follow()
        if self._one_by_one and not any(self._waiting.values()):
            self._one_by_one = False
            self.wake()  # for what `apply` leaves to a batch that is not `alone`

    def _came_to_nothing(self, error: Exception, items: Sequence[Item[_T]], *, alone: bool) -> None:
        """Nothing was changed and nothing acknowledged. What to do depends on whose fault it was."""
        if isinstance(error, self._trouble):
            self._on_trouble(error)
        elif alone:
            _log.error("a message on %s cannot be applied: %s", items[0].source.queue, error, exc_info=error)
            self._acknowledge(items)
            return
        else:
            _log.error("a batch failed, its messages are taken one by one: %s", error, exc_info=error)
            self._one_by_one = bool(items)
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        self._paused = True
        asyncio.get_running_loop().call_later(self._pause, self._resume)

    def _resume(self) -> None:
        self._paused = False
        self.wake()

    def _oldest(self, limit: int) -> list[Item[_T]]:
        """The first `limit` of each queue, which wait until they are acknowledged."""
        return [item for items in self._waiting.values() for item in itertools.islice(items, limit)]

    def _acknowledge(self, items: Sequence[Item[_T]]) -> None:
        """Acknowledge these, the first ones of their queues, with one acknowledgement for each queue."""
        last: dict[Source, Item[_T]] = {}
        for item in items:
            waiting = self._waiting[item.source]
            if waiting and waiting[0] is item:
                waiting.popleft()
                last[item.source] = item
        for item in last.values():
            self._broker.ack(item.delivery, multiple=True)
