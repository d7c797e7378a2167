"""A term: the time for which one scheduler leads. What runs beside its turns may write only while it lasts.

The database's `leadership` row holds the epoch of the scheduler that leads. Each transaction of a term first makes sure
that the epoch is still its own, and holds the row until it ends. So once another scheduler has taken over, nothing that
the former one still runs can change anything: its transaction is refused, and rolled back as a whole.

The row is held shared, so that the terms' transactions do not wait for each other; whoever takes over asks for the row
alone and waits for those under way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.rows import shared, value

_EPOCH = "SELECT epoch FROM leadership"


class Deposed(Exception):
    """Another scheduler leads."""


class Term:
    """What chores and consumers get to know of the leadership under which they run."""

    def __init__(self, epoch: int, clock: Clock = system_clock) -> None:
        self.epoch = epoch
        self.now = clock
        """Seconds since the epoch, as the scheduler's clock says."""
        self.over = threading.Event()
        """Set when this scheduler itself knows that it no longer leads: the end may then be waited for."""

    def check(self) -> None:
        """Make sure, within a transaction, that this term lasts until the transaction's end. Raises `Deposed`."""
        if self.over.is_set():
            raise Deposed("this scheduler no longer leads")
        if value(shared(_EPOCH)) != self.epoch:
            raise Deposed("another scheduler has taken over")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that changes nothing once the term is over. Raises `Deposed`.

        Keep it short: on SQLite nobody else writes meanwhile, the scheduler's turns included.
        """
        with transaction():
            self.check()
            yield

    def end(self) -> None:
        """The term is over, as far as this process knows."""
        self.over.set()
