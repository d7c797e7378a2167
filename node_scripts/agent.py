"""The agent's process: orders in, events out, and the parts in between put together.

An order's way: journal (one fsync for as many as came together), acknowledgement, `Claimed`, a slot, the runner.
When the broker is away, what runs goes on and what is to be told waits. When the agent dies, the apps run on under
their keepers; the next start reads the journal and goes on from there.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node_scripts.ability import Ability
from node_scripts.attempts import Attempts
from node_scripts.elsewhere import Elsewhere
from node_scripts.heartbeat import Heartbeats
from node_scripts.journal import Journal, JournalDamaged, JournalError
from node_scripts.outbox import Outbox
from node_scripts.running.interface import Runner
from node_scripts.settings import NodeSettings
from wire import topology
from wire.broker import Broker, BrokerAddress, Connect, Connection, Delivery
from wire.logs import LogShipper
from wire.messages import Cancel, MessageError, Order, RunBenchmark, decode
from wire.refusals import Refusal

_log = logging.getLogger(__name__)

_PREFETCH: Final = 64
"""Orders under way to the journal at once, beyond the slots: enough that one fsync serves many."""
_CONTROL_PREFETCH: Final = 100
_JOB_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_ATTEMPTS: Final = 2**31
_UNJOURNALLED_PAUSE_S: Final = 2.0
_DRAIN_S: Final = 1.0


class AgentError(Exception):
    """The agent cannot start; the message says what to change."""


class Agent:
    """One node's agent. `run` returns after `stop`."""

    def __init__(
        self,
        settings: NodeSettings,
        runner: Runner,
        *,
        now: Callable[[], float] = time.time,
        elsewhere: Elsewhere | None = None,
        address: BrokerAddress | None = None,
        connect: Connect = Connection,
        open_journal: Callable[[Path], Journal] = Journal,
    ) -> None:
        """Opens the journal, and so refuses a second agent on the same state directory. Raises `AgentError`.

        `elsewhere` is the machine, where that is not this one; several such agents may share a process, whose log
        records none of them ships. `address` is the broker's, in place of the settings'; `connect` makes the
        connections to it.
        """
        self._settings = settings
        self._elsewhere = elsewhere
        self._lock = _lock(settings.state_dir)
        try:
            self._journal = open_journal(settings.state_dir / "journal.sqlite")
        except JournalError as error:
            raise AgentError(str(error)) from error
        self._broker = Broker(
            address or settings.broker_address(),
            name=f"skerry agent {settings.node_id}",
            on_connected=self._on_connected,
            on_lost=self._on_lost,
            connect=connect,
        )
        self._outbox = Outbox(self._broker)
        self._ability = Ability(runner, now, self._ability_changed)
        self._attempts = Attempts(
            slots=settings.slots,
            runner=runner,
            journal=self._journal,
            outbox=self._outbox,
            now=now,
            on_failure=self._fail,
            ability=self._ability,
        )
        self._heartbeats = Heartbeats(
            broker=self._broker,
            held=self._attempts.held,
            slots=settings.slots,
            every_s=settings.heartbeat_s,
            state_dir=settings.state_dir,
            now=now,
            unable=lambda: self._ability.unable,
            elsewhere=elsewhere,
        )
        self._shipper: LogShipper | None = None
        self._orders_tag: str | None = None
        self._arrived: list[tuple[Delivery, Order]] = []
        self._claiming: asyncio.Task[None] | None = None
        self._benchmark: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Work until `stop`. Raises what went wrong when nothing but a new start can help."""
        loop = asyncio.get_running_loop()
        if self._elsewhere is None:
            self._shipper = LogShipper(self._broker, loop)
            self._shipper.attach()
        held = self._journal.held()
        self._journal.start(loop, self._fail)
        await self._ability.begin()
        self._attempts.recover(held)
        parts = [
            asyncio.create_task(part, name=name)
            for name, part in (
                ("broker", self._broker.run()),
                ("outbox", self._outbox.run()),
                ("logs", self._attempts.follow_logs()),
                ("heartbeats", self._heartbeats.run()),
                ("tidying", self._attempts.tidy()),
                ("ability", self._ability.run()),
            )
        ]
        for task in parts:
            task.add_done_callback(self._part_ended)
        _log.info("the agent is running, with %d slots", self._settings.slots, extra={"event.action": "agent.start"})
        try:
            await self._stopping.wait()
            await self._wind_down()
        finally:
            for task in parts:
                task.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            if self._shipper is not None:
                logging.getLogger().removeHandler(self._shipper)
            self._journal.close()
            self._lock.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more orders, send what is to be told, and return from `run` soon. Apps run on."""
        self._stopping.set()

    async def _wind_down(self) -> None:
        _log.info("the agent stops; what runs is left running", extra={"event.action": "agent.stop"})
        self._heartbeats.leave(self._settings.back_s)
        if self._claiming is not None:
            await asyncio.wait([self._claiming], timeout=_DRAIN_S)
        if self._orders_tag is not None:
            await self._broker.cancel(self._orders_tag)
        if self._benchmark is not None:
            self._benchmark.cancel()
        await self._attempts.stop()
        if self._broker.connected:
            try:
                await asyncio.wait_for(self._outbox.drained(), _DRAIN_S)
            except TimeoutError:
                _log.info("not everything could be sent; the next start sends it")
        await self._attempts.discarded()
        if self._shipper is not None:
            self._shipper.finish()
        await self._broker.stop()

    async def _on_connected(self) -> None:
        if self._stopping.is_set():
            return
        self._outbox.connected()
        if self._shipper is not None:
            self._shipper.flush_waiting()
        node = self._settings.node_id
        # Control first: a cancel of an order that waits in the queue is known before the order comes.
        await self._broker.consume(topology.control_queue(node), self._on_control, prefetch=_CONTROL_PREFETCH)
        self._orders_tag = await self._broker.consume(
            topology.jobs_queue(node), self._on_order, prefetch=self._settings.slots + _PREFETCH
        )
        self._heartbeats.send()

    def _on_lost(self) -> None:
        self._orders_tag = None
        self._outbox.lost()

    def _on_order(self, delivery: Delivery) -> None:
        if self._stopping.is_set():
            return  # unacknowledged, so it goes back to the queue when the consumer ends
        try:
            order = _read_order(delivery.body)
        except MessageError as error:
            _log.error("an order cannot be read, it goes to the dead letters: %s", error)
            self._broker.reject(delivery, requeue=False)
            return
        self._arrived.append((delivery, order))
        if self._claiming is None or self._claiming.done():
            self._claiming = asyncio.create_task(self._claim())
            self._claiming.add_done_callback(self._part_ended)

    async def _claim(self) -> None:
        """Claim what has arrived, and what arrives meanwhile; each batch is one commit and one acknowledgement."""
        while self._arrived:
            batch, self._arrived = self._arrived, []
            try:
                await self._attempts.claim([order for _, order in batch])
            except JournalDamaged:
                # Given back after a while: this process ends, and the next one has a journal again.
                await asyncio.sleep(_UNJOURNALLED_PAUSE_S)
                for delivery, _ in batch:
                    self._broker.reject(delivery, requeue=True)
            except JournalError as error:
                kind = Refusal.NO_SPACE if error.is_full else Refusal.NO_JOURNAL
                await self._attempts.refuse([order for _, order in batch], kind, str(error))
                for delivery, _ in batch:
                    self._broker.ack(delivery)
            else:
                self._broker.ack(batch[-1][0], multiple=True)

    def _on_control(self, delivery: Delivery) -> None:
        self._broker.ack(delivery)
        try:
            message = decode(delivery.body)
        except MessageError as error:
            _log.error("a control message cannot be read: %s", error)
            return
        match message:
            case Cancel(job=job, attempt=attempt):
                self._attempts.cancel(job, attempt)
            case RunBenchmark():
                if self._benchmark is None or self._benchmark.done():
                    self._benchmark = asyncio.create_task(self._run_benchmark())
            case _:
                _log.error("a control message of an unexpected kind: %s", type(message).__name__)

    async def _run_benchmark(self) -> None:
        if self._elsewhere is not None:
            if await self._elsewhere.benchmark():
                self._heartbeats.send()
            return
        # A process of its own: seconds of arithmetic here would hold up everything else.
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "node_scripts", "benchmark")
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        if code == 0:
            self._heartbeats.reload_benchmark()
            self._heartbeats.send()
        else:
            _log.error("the benchmark failed with exit code %d", code)

    def _ability_changed(self) -> None:
        if self._broker.connected:
            self._heartbeats.send()

    def _part_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Nothing here expects this error. A fresh start from the journal is the safe way on."""
        _log.critical("the agent ends for a new start: %s", error, exc_info=error)
        if self._failure is None:
            self._failure = error
        self._stopping.set()


def _read_order(body: bytes) -> Order:
    message = decode(body)
    if not isinstance(message, Order):
        raise MessageError(f"expected an order, got {type(message).__name__}")
    # Folders are named by these two.
    if not _JOB_ID.fullmatch(message.job) or not 1 <= message.attempt <= _MOST_ATTEMPTS:
        raise MessageError("the order's job or attempt cannot be used as a name")
    return message


class _Lock:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def _lock(state_dir: Path) -> _Lock:
    """Held by one agent at a time, and let go by its death.

    A record lock, which forked children do not share: an app's keeper must not keep the next agent out.
    """
    try:
        state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(state_dir / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AgentError(f"SKERRY_NODE_STATE_DIR cannot be used: {error}") from error
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise AgentError(f"another agent works with {state_dir}; stop that one first") from error
    return _Lock(descriptor)
