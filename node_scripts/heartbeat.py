"""The sign of life: metrics and held attempts, every few seconds, as a transient message.

The last one of an agent that ends says that it is to be back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from node_scripts import benchmark
from node_scripts.collectors import Collection
from node_scripts.elsewhere import Elsewhere
from node_scripts.memory import give_back_memory
from wire import VERSION, topology
from wire.broker import Broker
from wire.messages import Heartbeat, HeldAttempt, Metrics, Unable, encode

_log = logging.getLogger(__name__)

_PATIENCE_S: Final = 1.0
"""A sensor that takes longer must not make the node look dead: its last figures go out again."""


class Heartbeats:
    """Measures and sends. Nothing waits for an answer: a lost one is made up for by the next."""

    def __init__(
        self,
        *,
        broker: Broker,
        held: Callable[[], tuple[HeldAttempt, ...]],
        slots: int,
        every_s: float,
        state_dir: Path,
        now: Callable[[], float],
        unable: Callable[[], tuple[Unable, ...]],
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._unable = unable
        self._broker = broker
        self._held = held
        self._slots = slots
        self._every_s = every_s
        self._state_dir = state_dir
        self._now = now
        self._elsewhere = elsewhere
        self._collect: Callable[[], Metrics | None] = (elsewhere or Collection(state_dir)).collect
        self._metrics = self._collect()
        self._told: Metrics | None = None
        """The last figures that went out."""
        self._back_in_s = 0.0
        self._confirm: asyncio.Future[None] | None = None
        """Of the last heartbeat."""
        self._measuring: asyncio.Future[Metrics | None] | None = None
        self._boot = uuid.uuid4().hex
        self._benchmark: benchmark.Benchmark | None = None
        self.reload_benchmark()

    def reload_benchmark(self) -> None:
        """Take the benchmark's figure from the state directory."""
        self._benchmark = benchmark.load(self._state_dir)

    def send(self) -> None:
        """Send one now, with the newest figures there are.

        Of a machine that has none any more, with the last ones: it is out of reach.
        """
        metrics = self._metrics or self._told
        if metrics is None:
            return
        self._told = metrics
        if self._elsewhere is None and self._benchmark is not None:
            metrics = msgspec.structs.replace(
                metrics,
                events_per_second=self._benchmark.events_per_second,
                events_measured_at=self._benchmark.measured_at,
            )
        self._confirm = self._broker.publish(
            topology.HEARTBEATS,
            "",
            encode(
                Heartbeat(
                    at=self._now(),
                    metrics=metrics,
                    held=self._held(),
                    slots=self._slots,
                    agent_version=VERSION,
                    arch=self._elsewhere.arch if self._elsewhere is not None else os.uname().machine,
                    boot=self._boot,
                    back_in_s=self._back_in_s,
                    out_of_reach=self._metrics is None,
                    unable=self._unable(),
                )
            ),
            persistent=False,
        )

    def leave(self, back_in_s: float) -> None:
        """Say now, and from now on, that the agent ends and is to be back within so many seconds."""
        self._back_in_s = back_in_s
        self.send()

    async def run(self) -> None:
        """Measure and send, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        was_busy = True
        while True:
            due = max(due + self._every_s, loop.time())
            await asyncio.sleep(due - loop.time())
            await self._measure(loop)
            self.reload_benchmark()
            self._leave_what_is_dead()
            self.send()
            is_busy = bool(self._held())
            if was_busy and not is_busy:
                give_back_memory()
            was_busy = is_busy

    def _leave_what_is_dead(self) -> None:
        """Of a cluster's host that was switched off nothing comes back: another one is tried before AMQP notices it.

        A broker in need confirms nothing either, and says so.
        """
        unanswered = self._confirm is not None and not self._confirm.done()
        if unanswered and self._broker.is_cluster and not self._broker.blocked:
            self._broker.drop("it has not confirmed the last heartbeat")

    async def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._measuring is None:
            self._measuring = loop.run_in_executor(None, self._collect)
        done, _ = await asyncio.wait([self._measuring], timeout=min(_PATIENCE_S, self._every_s))
        if done:
            self._metrics = self._measuring.result()
            self._measuring = None
