"""The shipper: takes log records from `skerry.logs` to Elasticsearch, each once.

A record is acknowledged when Elasticsearch has answered for it, so whatever dies, it comes again; and it is written by
`create` under the id that it was born with, which an index takes once. An index: when the data stream has rolled over
in between, its new index would take it a second time. So a record that may have been written before is looked for
first, in all of the stream's indices. That may be

1. one that the broker delivers again, or that stood in the queue when this consumer came (a broker that was killed may
   have forgotten that it was delivered);
2. one that its sender has sent again, as it does not know what became of the first;
3. one that was in a request whose answer did not come.

Dying between the request and the acknowledgement is the first of these. One way is left to write a record twice: a
request that is under way when its shipper dies, is carried out after the next shipper has looked, and has a rollover
between the two.

What Elasticsearch will never take, and what is no record, is set aside in the database before it is acknowledged. While
Elasticsearch is away, or has no room, the same records are tried again for as long as it takes; the queue waits.

Nobody else may consume from the queue meanwhile: a second shipper stands by, and Logstash is kept out.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import logging
import signal
from collections.abc import Sequence
from typing import Final

from webfront.broker.topology import declare_platform
from webfront.database import models
from webfront.database.connection import TROUBLE
from webfront.database.schema import open_database
from webfront.errors import Unavailable
from webfront.logs.aside import Refused, set_aside
from webfront.logs.engine import Engine, EngineAway, EngineError, Indigestible, Verdict
from webfront.logs.records import Poison, name_of
from webfront.settings import Settings
from wire import topology
from wire.broker import Broker, Delivery, QueueLocked
from wire.logs import AGAIN, LogShipper

_log = logging.getLogger(__name__)

_HELD: Final = 3000
"""Records in memory, of half a kilobyte each as a rule, and of `records.LONGEST` where somebody means ill."""
_BATCH: Final = 1000
_BATCH_BYTES: Final = 4 * 1024 * 1024
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 15.0
_STANDBY_S: Final = 1.0
_STOP_S: Final = 5.0
"""How long a request that is under way may take to end with the process."""
_TELL_S: Final = 60.0


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Unavailable, SettingsError."""
    if settings.logs_reader != "shipper":
        raise Unavailable(
            f"SKERRY_LOGS_READER is {settings.logs_reader}. Set it to shipper on every controller to have this process "
            "take the log records; Logstash must not read them then."
        )
    engine = Engine.of(settings)
    open_database(settings.database_url, settings.database_password_file)
    try:
        asyncio.run(_run(settings, engine))
    finally:
        engine.close()
        models.database.close()


async def _run(settings: Settings, engine: Engine) -> None:
    shipper = Shipper(settings, engine)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shipper.stop)
    await shipper.run()


@dataclasses.dataclass(slots=True, eq=False)
class _Item:
    """One record on its way."""

    delivery: Delivery
    name: str
    in_doubt: bool
    """It may be there already."""
    poison: str = ""
    """Why it can never be written."""
    put_off: str = ""
    """Why it was not written now."""
    settled: bool = False
    """It is there, or set aside."""


class Shipper:
    """One shipper. All but the requests themselves happens on one event loop."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._engine = engine
        self._broker = Broker(
            settings.broker_address(), name="skerry shipper", on_connected=self._begin, on_lost=self._lost
        )
        self._own: LogShipper | None = None
        self._waiting: collections.deque[_Item] = collections.deque()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stood_before = 0
        """How many of the next deliveries stood in the queue when this consumer came."""
        self._told_at = -_TELL_S

    async def run(self) -> None:
        """Ship until `stop`."""
        self._own = LogShipper(self._broker, asyncio.get_running_loop())
        self._own.attach()
        connection = asyncio.create_task(self._broker.run())
        shipping = asyncio.create_task(self._ship())
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({connection, shipping, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(shipping, _STOP_S)
        stopped.cancel()
        await self._broker.stop()
        await connection

    def stop(self) -> None:
        """End: what was not acknowledged stays with the broker."""
        self._stopping.set()

    async def _begin(self) -> None:
        await declare_platform(self._broker)
        if self._own is not None:
            self._own.flush_waiting()
        is_told = False
        while True:
            self._stood_before = await self._broker.queue_length(topology.LOGS)
            try:
                await self._broker.consume(topology.LOGS, self._receive, prefetch=_HELD, exclusive=True)
                break
            except QueueLocked:
                if not is_told:
                    _log.info("another one reads the log records; this shipper stands by")
                is_told = True
                await asyncio.sleep(_STANDBY_S)
        _log.info("shipping log records to %s", self._engine.stream, extra={"event.action": "shipper.begin"})

    def _lost(self) -> None:
        """The connection broke: the broker delivers again what was not acknowledged."""
        self._waiting.clear()

    def _receive(self, delivery: Delivery) -> None:
        stood = self._stood_before > 0
        self._stood_before -= stood
        item = _Item(delivery, "", stood or delivery.redelivered or bool(delivery.headers.get(AGAIN)))
        try:
            item.name = name_of(delivery.body)
        except Poison as reason:
            item.poison = str(reason)
        self._waiting.append(item)
        self._wake.set()

    async def _ship(self) -> None:
        while not self._stopping.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._stopping.is_set():
                batch = self._take()
                connects = self._broker.connects
                await self._settle(batch, connects)
                if self._is_ours(connects):
                    self._broker.ack(batch[-1].delivery, multiple=True)

    def _take(self) -> list[_Item]:
        batch: list[_Item] = []
        size = 0
        while self._waiting and len(batch) < _BATCH and size < _BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].delivery.body)
        return batch

    def _is_ours(self, connects: int) -> bool:
        """Whether what came over that connection may still be acknowledged: else it comes again."""
        return self._broker.connects == connects and not self._stopping.is_set()

    async def _settle(self, batch: Sequence[_Item], connects: int) -> None:
        """Until each of them is there or set aside, or somebody else's."""
        waiting = list(batch)
        pause = _FIRST_PAUSE_S
        while self._is_ours(connects):
            before, trouble = len(waiting), ""
            try:
                await asyncio.to_thread(self._try, waiting)
            except (EngineError, *TROUBLE) as error:
                trouble = str(error)
            waiting = [item for item in waiting if not item.settled]
            if not waiting:
                return
            self._tell(trouble or waiting[0].put_off, waiting)
            pause = _FIRST_PAUSE_S if len(waiting) < before else min(pause * 2, _LONGEST_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _tell(self, trouble: str, waiting: Sequence[_Item]) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _TELL_S:
            self._told_at = now
            held = len(waiting) + len(self._waiting)
            _log.warning(
                "log records wait: %s. %s of them are held here, the others are in the queue",
                trouble,
                held,
                extra={"event.action": "shipper.wait"},
            )

    def _try(self, items: Sequence[_Item]) -> None:
        """One request for these; those that are to be tried again stay unsettled. On a thread of its own."""
        poisonous = [item for item in items if item.poison]
        if poisonous:
            _set_aside(poisonous)
        doubtful = [item for item in items if item.in_doubt and not item.settled]
        if doubtful:
            there = self._engine.find([item.name for item in doubtful])
            for item in doubtful:
                item.settled = item.name in there
                item.in_doubt = False
        self._write([item for item in items if not item.settled])

    def _write(self, items: Sequence[_Item]) -> None:
        if not items:
            return
        try:
            verdicts = self._engine.write([(item.name, item.delivery.body) for item in items])
        except EngineAway as error:
            for item in items:
                item.in_doubt = error.in_doubt
            raise
        except Indigestible as error:
            if len(items) > 1:
                half = len(items) // 2
                self._write(items[:half])
                self._write(items[half:])
                return
            verdicts = [(Verdict.REFUSED, str(error))]
        refused = []
        for item, (verdict, reason) in zip(items, verdicts, strict=True):
            if verdict is Verdict.REFUSED:
                item.poison = reason
                refused.append(item)
            elif verdict is Verdict.LATER:
                item.put_off = reason
            else:
                item.settled = True
        if refused:
            _set_aside(refused)


def _set_aside(items: Sequence[_Item]) -> None:
    try:
        set_aside([Refused(item.name, item.poison, item.delivery.body) for item in items])
    finally:
        # This thread's own connection: it is seldom asked for, and one that broke would be tried again and again.
        models.database.close()
    for item in items:
        item.settled = True
        _log.warning(
            "a log record was set aside: %s",
            item.poison,
            extra={"event.action": "logs.refuse", "skerry.record": item.name or None},
        )
