"""Running consumers and chores beside the scheduler's turns, for one term.

Facts are numbered by one thread, and each consumer and each chore has another, with a database connection of its own:
so a slow or failing one holds up neither the turns nor any other, but for the moments in which it writes. They end by
themselves when the term does; one in the middle of something may live on for a while, and can no longer write.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import peewee

from webfront.activity import chores, consumers
from webfront.activity.chores import Chore, forget_others
from webfront.activity.consumers import Consumer
from webfront.activity.numbering import LARGEST, number
from webfront.activity.term import Deposed, Term
from webfront.database import models

_log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
"""How often facts are numbered: as long as a consumer may learn of one late."""
_LONGEST_WAIT_S: Final = 30.0
"""So that a clock that is set does not put a chore off by hours."""
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


class Runner:
    """The threads of one term."""

    def __init__(self, term: Term, consumers: Sequence[Consumer], chores: Sequence[Chore]) -> None:
        self._term = term
        self._numbered = threading.Condition()
        self._batches = 0
        self._chores = chores
        self._begun = False
        self._threads = [self._thread("facts", self._number)]
        for consumer in consumers:
            self._threads.append(self._thread(consumer.name, self._feeding(consumer)))
        for chore in chores:
            self._threads.append(self._thread(chore.name, self._running(chore)))

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """End the term, and wait a while for what is under way."""
        self._term.end()
        with self._numbered:
            self._numbered.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _thread(self, name: str, body: Callable[[], float]) -> threading.Thread:
        return threading.Thread(target=self._loop, args=(name, body), name=name, daemon=True)

    def _loop(self, name: str, body: Callable[[], float]) -> None:
        """Call `body` until the term is over, each time after as many seconds as it returned."""
        pause = _FIRST_PAUSE_S
        wait = 0.0
        while not self._term.over.wait(wait):
            try:
                wait = body()
                pause = _FIRST_PAUSE_S
            except Deposed:
                _log.info("%s ends: another scheduler leads", name)
                break
            except Exception as error:
                expected = isinstance(error, peewee.PeeweeException)
                words = "%s cannot use the database, trying again: %s" if expected else "%s broke, trying again: %s"
                _log.warning(words, name, error, exc_info=None if expected else error)
                _close()
                wait, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
        _close()

    def _number(self) -> float:
        if not self._begun:
            forget_others(self._chores, self._term)
            self._begun = True
        found = number(self._term)
        if found:
            with self._numbered:
                self._batches += 1
                self._numbered.notify_all()
        return 0.0 if found == LARGEST else _LOOK_EVERY_S

    def _feeding(self, consumer: Consumer) -> Callable[[], float]:
        begun = False
        seen = -1

        def body() -> float:
            nonlocal begun, seen
            if not begun:
                consumers.begin(consumer, self._term)
                begun = True
            pause = consumers.pause(consumer, self._term.now())
            if pause > 0:
                seen = -1
                return min(pause, _LONGEST_WAIT_S)
            with self._numbered:
                # Not while nothing new is there: looking costs a query.
                self._numbered.wait_for(lambda: self._batches != seen or self._term.over.is_set(), _LONGEST_WAIT_S)
                now_seen = self._batches
            while not self._term.over.is_set() and consumers.feed(consumer, self._term):
                pass
            seen = now_seen
            return 0.0

        return body

    def _running(self, chore: Chore) -> Callable[[], float]:
        def body() -> float:
            wait = chores.due_in(chore, self._term.now())
            if wait <= 0:
                wait = chores.run(chore, self._term)
            if wait > _LONGEST_WAIT_S / 2:
                _close()  # a server closes a connection that is idle for long
            return min(wait, _LONGEST_WAIT_S)

        return body


def _close() -> None:
    with contextlib.suppress(peewee.PeeweeException):
        models.database.obj.close()
