"""Counting what was lost of the log records: what passes the queue's bound is dead-lettered, and counted here.

The leading scheduler consumes it. A batch is counted in one transaction, each message for as many records as it holds,
with the marks of its messages, and acknowledged then; dying in between, the broker delivers the same messages again,
and those whose marks stand there are not counted twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from webfront.broker.consuming import Consumer, Item, Source
from webfront.clock import Clock, system_clock
from webfront.database.connection import TROUBLE, transaction
from webfront.database.models import LogLoss
from webfront.logs.aside import loss_row
from wire import topology
from wire.broker import Broker, Delivery
from wire.logs import count_of

_log = logging.getLogger(__name__)

_SOURCE: Final = Source(topology.LOST_LOGS, 300)
_TELL_S: Final = 60.0


class _Lost(NamedTuple):
    """A message that was lost."""

    mark: str
    """By which it is known when it comes again."""
    records: int


class Losses:
    """Begin it with each term, on the broker's event loop."""

    def __init__(self, broker: Broker, on_trouble: Callable[[Exception], None], clock: Clock = system_clock) -> None:
        self._clock = clock
        self._untold = 0
        self._told_at = 0.0
        self._consumer: Consumer[_Lost] = Consumer(
            broker,
            [_SOURCE],
            read=_read,
            apply=self._count,
            trouble=TROUBLE,
            on_trouble=on_trouble,
        )
        self.begin, self.lost, self.stop = self._consumer.begin, self._consumer.lost, self._consumer.stop

    def tell(self) -> None:
        """Once a minute, where something was lost: a record of it, which will arrive when there is room."""
        now = self._clock()
        if self._untold and not 0 <= now - self._told_at < _TELL_S:
            lost, self._untold, self._told_at = self._untold, 0, now
            _log.warning(
                "%s log records were lost: the queue was full, as nobody took them",
                lost,
                extra={"event.action": "logs.lose", "skerry.records": lost},
            )

    def _count(self, items: Sequence[Item[_Lost]], alone: bool) -> Callable[[], None]:
        records = dict(item.content for item in items)
        new = 0
        if records:
            with transaction():
                row = loss_row()
                new = sum(records[mark] for mark in records.keys() - set(row.last_lost))
                # What comes again is what this transaction has counted last, or a part of it.
                LogLoss.update(
                    lost=LogLoss.lost + new,
                    lost_at=self._clock(),
                    last_lost=list(records) if new else row.last_lost,
                ).where(LogLoss.id == row.id).execute()

        def follow() -> None:
            self._untold += new

        return follow


def _read(_: Source, delivery: Delivery) -> _Lost:
    return _Lost(hashlib.sha256(delivery.body).hexdigest()[:16], count_of(delivery.body))
