"""The seat of the scheduler that leads, and the look from there: which nodes are connected to the broker.

Both are a second connection's, on a thread and an event loop of its own, so that no turn, however long it waits for the
database, holds them up:

* Whoever declares the exclusive queue `skerry.scheduler` has the seat. The connection says every half second that its
  process lives. Of one that is stopped (SIGSTOP) or cut off, the broker hears nothing, and gives the queue free after
  two to three seconds; of one that has died, at once. The next takes it within a quarter of a second.
* A node's agent consumes its control messages for as long as it is connected. So the number of that queue's consumers
  says whether somebody is connected as this node: the broker counts them when it is asked, so the answer is of this
  moment, also after whatever this scheduler has missed. In a cluster the orders' queue is asked as well: a quorum queue
  without a leader would count nobody.

Nothing is ever published here: a broker that has no disk or memory left stops to read connections that publish, and
answers this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Collection
from typing import Any, Final

from wire import topology
from wire.broker import Broker, BrokerAddress, BrokerError, Connect, Connection, QueueLocked

_log = logging.getLogger(__name__)

_HEARTBEAT_S: Final = 1
_STANDBY_S: Final = 0.25
_LOOK_S: Final = 0.5
_LONGEST_LOOK_S: Final = 1.2
_SHARE: Final = 5
"""Of many nodes it takes a while to ask: the pause is so many times as long, up to that bound."""
_STOP_S: Final = 3.0
_HUNG_S: Final = 60.0
"""Whoever leads and has not said for so long that it goes on is hung, and the seat is another's."""


_connect: Final = functools.partial(Connection, heartbeat_s=_HEARTBEAT_S)


class Seat:
    """`begin` it once, on the event loop on which its callbacks are to be called; `end` it there."""

    def __init__(
        self,
        address: BrokerAddress,
        holder: str,
        *,
        connect: Connect = _connect,
        own_thread: bool = True,
    ) -> None:
        """`holder` says in the broker's list of connections whose it is. `own_thread`: its loop is not the caller's."""
        self._broker = Broker(
            address, name=f"skerry seat {holder}", on_connected=self._take, on_lost=self._lost, connect=connect
        )
        self._own_thread = own_thread
        self._nodes: tuple[str, ...] = ()
        self._pulses = 0
        self._hung_at = -1
        """How many there had been when there were no more."""
        self._on_taken: Callable[[], None] = _nothing
        self._on_lost: Callable[[], None] = _nothing
        self._on_seen: Callable[[dict[str, bool]], None] = _nothing
        self._home: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[None] | None = None
        self._running: asyncio.Future[None] | None = None
        self._ending: asyncio.Future[None] | None = None

    def begin(
        self, *, taken: Callable[[], None], lost: Callable[[], None], seen: Callable[[dict[str, bool]], None]
    ) -> asyncio.Future[None]:
        """Try to get it, from now on and again each time it is lost. What is returned ends with what goes wrong.

        `seen` is told, as long as it is taken, of each node that is watched and has a queue, whether it is connected.
        """
        self._on_taken, self._on_lost, self._on_seen = taken, lost, seen
        self._home = asyncio.get_running_loop()
        if self._own_thread:
            self._running = asyncio.ensure_future(_in_a_thread(lambda: asyncio.run(self._run())))
        else:
            self._running = asyncio.ensure_future(self._run())
        return self._running

    def watch(self, nodes: Collection[str]) -> None:
        """Look after these nodes from now on."""
        self._nodes = tuple(nodes)

    def pulse(self) -> None:
        """Whoever has it goes on. To be called each second."""
        self._pulses += 1

    async def end(self) -> None:
        """Give it up: the next scheduler has it at once."""
        if self._loop is not None and self._running is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                self._loop.call_soon_threadsafe(self._stop)
            await asyncio.wait([self._running], timeout=_STOP_S)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._broker.run()

    def _stop(self) -> None:
        self._ending = asyncio.ensure_future(self._broker.stop())

    async def _take(self) -> None:
        told = False
        while self._pulses == self._hung_at:
            await asyncio.sleep(_STANDBY_S)
        while True:
            try:
                await self._broker.declare_queue(topology.LEADER, durable=False, exclusive=True)
                break
            except QueueLocked:
                if not told:
                    _log.info("another scheduler is leading; this one stands by")
                told = True
                await asyncio.sleep(_STANDBY_S)
        self._tell(self._on_taken)
        self._looking = asyncio.ensure_future(self._look())

    def _lost(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
            self._tell(self._on_lost)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        pulses, pulsed_at = self._pulses, loop.time()
        while True:
            began, nodes = loop.time(), self._nodes
            if self._pulses != pulses:
                pulses, pulsed_at = self._pulses, began
            elif began - pulsed_at > _HUNG_S:
                self._hung_at = pulses
                self._broker.drop(f"the scheduler has not gone on for {_HUNG_S:.0f} s")
            try:
                counted = await self._broker.count_consumers([queue for node in nodes for queue in self._queues(node)])
            except BrokerError as error:
                _log.debug("the nodes' connections cannot be counted now: %s", error)
            else:
                counts = {node: [counted[one] for one in self._queues(node) if one in counted] for node in nodes}
                self._tell(self._on_seen, {node: any(found) for node, found in counts.items() if found})
            pause = max(_LOOK_S, min((loop.time() - began) * _SHARE, _LONGEST_LOOK_S))
            await asyncio.sleep(pause)

    def _queues(self, node: str) -> list[str]:
        queues = [topology.control_queue(node)]
        return [*queues, topology.jobs_queue(node)] if self._broker.is_cluster else queues

    def _tell(self, call: Callable[..., None], *what: Any) -> None:
        if self._home is not None:
            with contextlib.suppress(RuntimeError):  # the process is ending
                self._home.call_soon_threadsafe(call, *what)


def _nothing(*_: object) -> None:
    pass


async def _in_a_thread(run: Callable[[], None]) -> None:
    """Run this in a thread that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: Exception | None) -> None:
        if not ended.done() and error is not None:
            ended.set_exception(error)
        elif not ended.done():
            ended.set_result(None)

    def work() -> None:
        error: Exception | None = None
        try:
            run()
        except Exception as found:
            error = found
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(end, error)

    threading.Thread(target=work, name="seat", daemon=True).start()
    await ended
