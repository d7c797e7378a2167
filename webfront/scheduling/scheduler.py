"""The scheduler process: it takes what comes from the broker, turn by turn, and sends what each turn decided.

A turn is one database transaction (`webfront.scheduling.turn`). Messages are acknowledged after it is committed, orders
published after that. So whatever line this process dies on, a message that was not applied comes again, an applied one
that comes again changes nothing, and an order that was not published is found by the sweep of whoever takes over.

It has two connections: this one, and that of the `seat`, which says who leads and which nodes are connected. It leads
while both stand. Whoever takes over has the broker close the connection of the one before, which may hold it without
being able to use it.

The loop of turns, its order of commit and acknowledgement, and what becomes of a turn that fails are
`webfront.broker.consuming`'s. While all slots are taken it gathers: so a busy scheduler makes large turns and leaves
the database to others between them, and an idle one answers a message at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import platform
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from webfront.activity.term import Deposed, Term
from webfront.broker.consuming import Consumer, Item
from webfront.broker.standing import Standing
from webfront.broker.topology import declare_nodes, declare_platform
from webfront.broker.unread import Unread
from webfront.database import models
from webfront.database.connection import TROUBLE
from webfront.database.schema import open_database
from webfront.errors import Unavailable
from webfront.logs.losses import Losses
from webfront.scheduling.beside import Beside
from webfront.scheduling.given import Input
from webfront.scheduling.inbox import SOURCES, Content, Inbox
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.mirror import node_names
from webfront.scheduling.seat import Seat
from webfront.scheduling.sending import Sending
from webfront.scheduling.takeover import Takeover, connection_name
from webfront.scheduling.turn import Turns
from webfront.settings import Settings
from wire.broker import Broker, BrokerLost, Connect, Connection
from wire.logs import LogShipper

_log = logging.getLogger(__name__)

_SWEEP_S: Final = 1.0
_STANDBY_S: Final = 1.0
_CANARY: Final = "skerry.canary"
"""A routing key of no queue: a broker in need says so to who publishes, and to nobody else."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises `Unavailable` when the database cannot be used, or another has taken over."""
    open_database(settings.database_url, settings.database_password_file)
    try:
        asyncio.run(_run(settings))
    finally:
        models.database.close()


async def _run(settings: Settings) -> None:
    scheduler = Scheduler(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, scheduler.stop)
    await scheduler.run()


class Scheduler:
    """One scheduler: on standby until it has the seat, then at work until it loses that, or the connection breaks."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        *,
        connect: Connect = Connection,
        holder: str = "",
        seat: Seat | None = None,
        standing: Standing | None = None,
        beside: Beside | None = None,
        ships_logs: bool = True,
    ) -> None:
        """`connect` makes the connection to the broker. `beside` runs beside the turns, in place of the usual.

        `holder` names this process among all that may lead, with its own `seat`; `standing` is asked of the broker.
        """
        self._clock = clock
        address = settings.broker_address()
        self._leadership = Leadership(holder or f"{platform.node()}:{os.getpid()}")
        self._seat = seat or Seat(address, self._leadership.holder)
        self._takeover = Takeover(standing or Standing(settings), self._leadership.holder)
        self._seated = asyncio.Event()
        self._connected: dict[str, bool] = {}
        self._turns = Turns(settings, self._leadership)
        self._unread = Unread()
        self._inbox = Inbox(address.user, self._unread, clock)
        self._broker = Broker(
            address,
            name=connection_name(self._leadership.holder),
            on_connected=self._begin,
            on_lost=self._lost,
            connect=connect,
        )
        self._consumer = Consumer(
            self._broker,
            SOURCES,
            read=self._inbox.read,
            apply=self._take_turn,
            trouble=TROUBLE,
            on_trouble=_forget_database,
            # No job could start any sooner then.
            may_gather=lambda: not self._turns.mirror.has_free_slot(),
        )
        self._sending = Sending(self._broker, clock, self._consumer.wake)
        self._losses = Losses(self._broker, _forget_database)
        self._sweep_due = False
        self._stopping = asyncio.Event()
        self._failure: Unavailable | None = None
        self._ships_logs = ships_logs
        self._shipper: LogShipper | None = None
        self._beside = Beside(settings) if beside is None else beside

    async def run(self) -> None:
        """Work until `stop`. Raises `Unavailable` when another scheduler has taken over."""
        if self._ships_logs:
            self._shipper = LogShipper(self._broker, asyncio.get_running_loop())
            self._shipper.attach()
        seat = self._seat.begin(taken=self._seated.set, lost=self._unseated, seen=self._seen)
        connection = asyncio.create_task(self._broker.run())
        sweeps = asyncio.create_task(self._sweep())
        stopped = asyncio.create_task(self._stopping.wait())
        parts: set[asyncio.Future[Any]] = {connection, stopped, seat}
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        self._consumer.stop()
        await asyncio.to_thread(self._beside.end, wait=True)
        for task in (sweeps, stopped):
            task.cancel()
        if self._shipper is not None:
            self._shipper.finish()
        await self._broker.stop()
        await connection
        self._takeover.end()
        await self._seat.end()
        if seat.done():
            seat.result()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End: what was not applied stays with the broker."""
        self._consumer.stop()
        self._losses.stop()
        self._stopping.set()

    async def _begin(self) -> None:
        """Connected: wait for the seat, take over, and begin to consume."""
        await declare_platform(self._broker)
        while not self._seated.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._seated.wait(), _STANDBY_S)
                break
            self._flush_logs()
            if not self._broker.connected:
                raise BrokerLost("the connection broke on standby")
        asking = asyncio.create_task(self._takeover.is_same_broker())
        term, nodes = await self._take_over()
        self._takeover.evict(self._leadership.former)
        await declare_nodes(self._broker, nodes)
        self._seat.watch(nodes)
        self._turns.distrust()
        self._turns.leases.reset(same_broker=await asking)
        self._sweep_due = True  # which publishes what an earlier scheduler left unpublished
        await self._consumer.begin()
        await self._losses.begin()
        self._beside.begin(term)
        _log.info("leading, as epoch %s", term.epoch, extra={"event.action": "scheduler.take_over"})
        # Only now: a broker in need reads nothing more of a connection that publishes.
        self._flush_logs()

    def _flush_logs(self) -> None:
        if self._shipper is not None:
            self._shipper.flush_waiting()

    def _seen(self, connected: dict[str, bool]) -> None:
        """What the broker says of the nodes' connections."""
        changed = any(self._connected.get(name) is not there for name, there in connected.items())
        self._connected = connected
        if changed and self._consumer.working:
            self._sweep_due = True
            self._consumer.wake()

    def _unseated(self) -> None:
        """Another may lead from now on; this connection is in its way."""
        self._seated.clear()
        self._connected = {}
        self._leadership.resign()
        self._broker.drop("the seat of the leading scheduler is lost")

    async def _take_over(self) -> tuple[Term, list[str]]:
        """The term, and the nodes there are."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return self._leadership.take_over(self._clock()), node_names()
            except TROUBLE as error:
                _forget_database(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            if not self._broker.connected:
                raise BrokerLost("the connection broke while the database was away")

    def _lost(self) -> None:
        """The connection broke: with it went the leadership, and the right to acknowledge what is in the inbox."""
        self._consumer.lost()
        self._losses.lost()
        self._leadership.resign()
        self._beside.end()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._seat.pulse()
            self._unread.tell(self._clock())
            self._losses.tell()
            if self._consumer.working:
                self._turns.leases.tick(asyncio.get_running_loop().time(), blocked=bool(self._broker.blocked))
                self._seat.watch(self._turns.mirror.nodes)
                if not self._broker.blocked:
                    self._broker.publish_unconfirmed("", _CANARY, b"")
                self._sweep_due = True
                self._consumer.wake()

    def _take_turn(self, items: Sequence[Item[Content]], alone: bool) -> Callable[[], None]:
        """One turn, for the consumer. The scheduler's own notes are taken whole, and given back if it fails."""
        if alone:
            # A failed turn before it left the sweep to the first one that is not alone.
            given, sweep = Input(), False
        else:
            given = self._sending.take_notes()
            sweep, self._sweep_due = self._sweep_due, False
            given.blocked = self._broker.blocked
            given.connected = self._connected if sweep else {}
        conclusions, published = list(given.conclusions), given.published
        try:
            self._inbox.sort(items, given)
            output = self._turns.take(
                given, self._clock(), sweep=sweep, place=not alone, in_flight=self._sending.in_flight
            )
        except Exception as error:
            self._sweep_due = True
            if isinstance(error, Deposed):
                self._failure = Unavailable(f"{error.args[0]}; start this one again to have it stand by")
                self.stop()
            elif isinstance(error, TROUBLE):
                self._sending.give_back(conclusions, published)
            # Otherwise these notes may be at fault: the sweep and the leases come to the same again.
            raise
        return functools.partial(self._sending.send, output)


def _forget_database(error: Exception) -> None:
    """The next use connects anew."""
    _log.warning("the database cannot be used, trying again: %s", error)
    models.database.close()
