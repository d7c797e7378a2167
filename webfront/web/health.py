"""Whether the web front and what it needs are well.

A database that can be read may take no write: its disk is full, or a process that stopped has its lock. So a row is
written, at most once a second, however often somebody asks; by a thread of its own, since a write may hang.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from webfront.clock import Clock, system_clock
from webfront.database.connection import TROUBLE, transaction
from webfront.database.models import Probe, database
from wire import VERSION

_log = logging.getLogger(__name__)

_FRESH_S: Final = 1.0
_WAIT_S: Final = 3.0
"""How long a write may take before the answer is that there is none."""


class HealthReport(msgspec.Struct, frozen=True):
    """`ok` or `down`, each."""

    status: str
    database: str
    broker: str
    version: str = VERSION
    """The release that answers: who upgrades one front after the other sees where it has come to."""


class HealthService:
    def __init__(self, controller: str, broker_connected: Callable[[], bool], clock: Clock = system_clock) -> None:
        """`controller` names the row that this one writes."""
        self._broker_connected = broker_connected
        self._writing = _Writing(controller, clock)

    def __call__(self) -> HealthReport:
        """Have the database take a write, and look whether the broker's connection stands."""
        well = self._writing.possible()
        broker = self._broker_connected()
        words = {True: "ok", False: "down"}
        return HealthReport(status=words[well and broker], database=words[well], broker=words[broker])


class _Writing:
    """Whether the database takes a write. Those who ask at once share one."""

    def __init__(self, controller: str, clock: Clock) -> None:
        self._controller = controller
        self._clock = clock
        self._guard = threading.Lock()
        self._trial: _Trial | None = None

    def possible(self) -> bool:
        with self._guard:
            if self._trial is None or self._trial.is_over(time.monotonic()):
                self._trial = _Trial(self._write)
            trial = self._trial
        return trial.result()

    def _write(self) -> None:
        # A connection of this thread's own, which ends with it.
        with database.obj.connection_context(), transaction():
            changed = Probe.update(at=self._clock()).where(Probe.controller == self._controller).execute()
            if not changed:
                Probe.insert(controller=self._controller, at=self._clock()).on_conflict_ignore().execute()


class _Trial:
    """One write, and what came of it. One that hangs stays the last: no second thread waits behind it."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write
        self._begun = time.monotonic()
        self._ended = threading.Event()
        self._well = False
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def is_over(self, now: float) -> bool:
        """Whether it says nothing of the present any more."""
        return self._ended.is_set() and now - self._begun >= _FRESH_S

    def result(self) -> bool:
        """Waits for it a while. False as long as it hangs."""
        self._ended.wait(max(0.0, self._begun + _WAIT_S - time.monotonic()))
        return self._ended.is_set() and self._well

    def _run(self) -> None:
        try:
            self._write()
            self._well = True
        except TROUBLE as error:
            _log.warning("the database takes no write: %s", error)
        finally:
            self._ended.set()
