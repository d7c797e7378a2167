"""The shipper: takes log records from `skerry.logs` to Elasticsearch, each once.

A message holds one record or several, a line each. It is acknowledged when Elasticsearch has answered for all of them,
so whatever dies, they come again; and a record is written by `create` under the id that it was born with, which an
index takes once. An index: when the data stream has rolled over in between, its new index would take it a second time.
So a record that may have been written before is looked for first, in all of the stream's indices. That may be

1. one of a message that the broker delivers again, or that stood in the queue when this consumer came (a broker that
   was killed may have forgotten that it was delivered);
2. one of a message that its sender has sent again, as it does not know what became of the first;
3. one that was in a request whose answer did not come.

Dying between the request and the acknowledgement is the first of these. One way is left to write a record twice: a
request that is under way when its shipper dies, is carried out after the next shipper has looked, and has a rollover
between the two.

What Elasticsearch will never take, and what is no record, is set aside in the database before it is acknowledged, by
itself: the other records of its message go on. While
Elasticsearch is away, or has no room, the same records are tried again for as long as it takes; the queue waits.

Nobody else may consume from the queue meanwhile: a second shipper stands by, and Logstash is kept out.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import logging
import signal
from collections.abc import Sequence
from typing import Final, NamedTuple

from webfront.broker.topology import declare_platform
from webfront.database import models
from webfront.database.connection import TROUBLE
from webfront.database.schema import open_database
from webfront.errors import Unavailable
from webfront.logs.aside import KEPT_BYTES, Refused, set_aside
from webfront.logs.engine import Engine, EngineAway, EngineError, Indigestible, Verdict
from webfront.logs.records import LONGEST, Poison, name_of
from webfront.settings import Settings
from wire import topology
from wire.broker import Broker, Delivery, QueueLocked
from wire.logs import AGAIN, LogShipper, count_of, lines_of

_log = logging.getLogger(__name__)

_HELD: Final = 1000
"""Messages in memory: of 32 KB at most, as our processes make them; where somebody means ill, of `records.LONGEST`."""
_BATCH: Final = 1000
"""Records in a request, and below its bytes. The last message is in it whole, so it may pass both."""
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

    body: bytes
    in_doubt: bool
    """It may be there already."""
    name: str = ""
    poison: str = ""
    """Why it can never be written."""
    put_off: str = ""
    """Why it was not written now."""
    settled: bool = False
    """It is there, or set aside."""


class _Message(NamedTuple):
    """One message that waits."""

    delivery: Delivery
    in_doubt: bool
    too_long: _Item | None = None
    """What is kept of it to be set aside; the delivery holds nothing then."""

    def records(self) -> list[_Item]:
        if self.too_long is not None:
            return [self.too_long]
        return [_read(line, self.in_doubt) for line in lines_of(self.delivery.body)]


class Shipper:
    """One shipper. All but the requests themselves happens on one event loop."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._engine = engine
        self._broker = Broker(
            settings.broker_address(), name="skerry shipper", on_connected=self._begin, on_lost=self._lost
        )
        self._own: LogShipper | None = None
        self._waiting: collections.deque[_Message] = collections.deque()
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
        self._own.finish()
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
        in_doubt = stood or delivery.redelivered or bool(delivery.headers.get(AGAIN))
        message = _Message(delivery, in_doubt)
        if len(delivery.body) > LONGEST:
            message = _Message(dataclasses.replace(delivery, body=b""), in_doubt, _too_long(delivery.body))
        self._waiting.append(message)
        self._wake.set()

    async def _ship(self) -> None:
        while not self._stopping.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._stopping.is_set():
                batch, last = self._take()
                connects = self._broker.connects
                await self._settle(batch, connects)
                if self._is_ours(connects):
                    self._broker.ack(last, multiple=True)

    def _take(self) -> tuple[list[_Item], Delivery]:
        """The records of the next messages, all of each, and the last of these."""
        batch: list[_Item] = []
        size = 0
        while True:
            message = self._waiting.popleft()
            batch.extend(message.records())
            size += len(message.delivery.body)
            if not self._waiting or len(batch) >= _BATCH or size >= _BATCH_BYTES:
                return batch, message.delivery

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
            held = len(waiting) + sum(count_of(message.delivery.body) for message in self._waiting)
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
            verdicts = self._engine.write([(item.name, item.body) for item in items])
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


def _read(line: bytes, in_doubt: bool) -> _Item:
    item = _Item(line, in_doubt)
    try:
        item.name = name_of(line)
    except Poison as reason:
        item.poison = str(reason)
    return item


def _too_long(body: bytes) -> _Item:
    name = hashlib.sha256(body).hexdigest()[:32]
    return _Item(body[:KEPT_BYTES], False, name, f"its message has {len(body)} bytes, more than {LONGEST}")


def _set_aside(items: Sequence[_Item]) -> None:
    try:
        set_aside([Refused(item.name, item.poison, item.body) for item in items])
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
