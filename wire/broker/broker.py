"""A connection to RabbitMQ that is kept up: what one connection cannot say (`connected`, `connects`) is said here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from wire.broker.address import BrokerAddress
from wire.broker.confirms import retrieve
from wire.broker.connection import Connect, Connection, Delivery
from wire.broker.errors import BrokerError, BrokerLost

_log = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 0.2
_LONGEST_RETRY_S: Final = 5.0
_FLUSH_S: Final = 1.0


class Broker:
    """A connection to RabbitMQ that is kept up by `run` until `stop`."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        name: str,
        on_connected: Callable[[], Awaitable[None]] | None = None,
        on_lost: Callable[[], None] | None = None,
        connect: Connect = Connection,
    ) -> None:
        """`name` is shown in RabbitMQ's list of connections; `connect` makes each of them.

        `on_connected` runs after each connect and reconnect: declare and consume there. If it raises, the connection is
        closed and tried again. `on_lost` runs each time an established connection has broken.
        """
        self._address = address
        self._name = name
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._connect = connect
        self._connection: Connection | None = None
        self._stopping = asyncio.Event()
        # Connections are spread over the hosts of a cluster: each process begins at one of its own.
        self._turn = zlib.crc32(f"{address.user} {name}".encode())
        self.connects = 0
        """How often it has connected: tells one connection from the next."""

    @property
    def connected(self) -> bool:
        """Whether publishing works now."""
        return self._connection is not None and self._connection.ready

    @property
    def blocked(self) -> str:
        """While the broker takes nothing of what is published here: why, as it says it.

        A broker in need (no disk, no memory) says so to who publishes, and to nobody else.
        """
        return self._connection.blocked if self._connection is not None else ""

    @property
    def is_cluster(self) -> bool:
        """Whether it is one of several hosts that it connects to."""
        return self._address.is_cluster

    async def run(self) -> None:
        """Connect, and reconnect until `stop`: to each host in turn, with a growing pause after each round."""
        pause = _FIRST_RETRY_S
        failed = 0
        while not self._stopping.is_set():
            if await self._serve():
                pause, failed = _FIRST_RETRY_S, 0
                continue
            self._turn += 1
            failed += 1
            if failed % len(self._address.hosts):
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, _LONGEST_RETRY_S)

    async def stop(self) -> None:
        """Give what is unconfirmed a second to be confirmed, then close; `run` returns."""
        pending = self._connection.confirms.waiting() if self._connection is not None else []
        if pending:
            await asyncio.wait(pending, timeout=_FLUSH_S)
        self._stopping.set()
        if self._connection is not None:
            await self._connection.close()

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        persistent: bool = True,
        mandatory: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> asyncio.Future[None]:
        """Send a message. The future resolves when the broker has confirmed it.

        It ends with `BrokerLost` when the connection is or goes away, and with `Unroutable` when a mandatory message
        reached no queue or the broker refused it. It need not be awaited.
        """
        connection = self._connection
        channel = connection.publisher if connection is not None else None
        if connection is None or channel is None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.add_done_callback(retrieve)
            future.set_exception(BrokerLost("there is no connection to the broker"))
            return future
        return connection.confirms.publish(
            channel, exchange, routing_key, body, persistent=persistent, mandatory=mandatory, headers=headers
        )

    def publish_unconfirmed(self, exchange: str, routing_key: str, body: bytes) -> bool:
        """Send a transient message whose loss does no harm. False when there is no connection."""
        if not self.connected:
            return False
        self.publish(exchange, routing_key, body, persistent=False)
        return True

    async def consume(
        self, queue: str, on_delivery: Callable[[Delivery], None], *, prefetch: int, exclusive: bool = False
    ) -> str:
        """Consume on a channel of its own, until the connection breaks. At most `prefetch` unacknowledged at a time.

        With `exclusive` nobody else may consume from this queue; raises `QueueLocked` where somebody does.
        """
        return await self._established().consume(queue, on_delivery, prefetch=prefetch, exclusive=exclusive)

    async def queue_length(self, name: str) -> int:
        """How many messages wait in a queue, which must be there; those that somebody holds are not among them."""
        return await self._established().queue_length(name)

    async def count_consumers(self, queues: Sequence[str]) -> dict[str, int]:
        """How many consumers each of these queues has now; those that are not there are left out."""
        return await self._established().count_consumers(queues)

    def drop(self, reason: str) -> None:
        """Let go of the connection there is; `run` opens the next."""
        if self._connection is not None:
            self._connection.broken(reason)

    async def cancel(self, consumer_tag: str) -> None:
        """Stop this consumer. What it has not acknowledged goes back to its queue."""
        if self._connection is not None:
            self._connection.cancel(consumer_tag)

    def ack(self, delivery: Delivery, *, multiple: bool = False) -> None:
        """Acknowledge a delivery, or with `multiple` all up to it; nothing when its connection is gone."""
        delivery.ack(multiple=multiple)

    def reject(self, delivery: Delivery, *, requeue: bool) -> None:
        """Give a delivery back, or without `requeue` to the queue's dead letter exchange."""
        delivery.reject(requeue=requeue)

    async def declare_queue(
        self, name: str, *, durable: bool = True, exclusive: bool = False, arguments: dict[str, Any] | None = None
    ) -> None:
        """Make the queue if it is not there.

        Raises `QueueLocked` when another connection holds it, and `QueueDiffers` when it is there and cannot be used.
        """
        await self._established().declare(
            lambda channel, done: channel.queue_declare(
                name, durable=durable, exclusive=exclusive, arguments=arguments, callback=done
            )
        )

    async def delete_queue(self, name: str) -> None:
        """Remove the queue with what it holds; nothing when it is not there."""
        await self._established().declare(lambda channel, done: channel.queue_delete(name, callback=done))

    async def declare_exchange(self, name: str, kind: str, *, durable: bool = True) -> None:
        """Make the exchange if it is not there."""
        await self._established().declare(
            lambda channel, done: channel.exchange_declare(name, kind, durable=durable, callback=done)
        )

    async def bind_queue(self, queue: str, exchange: str, routing_key: str) -> None:
        """Let messages to `exchange` with `routing_key` go to `queue`."""
        await self._established().declare(
            lambda channel, done: channel.queue_bind(queue, exchange, routing_key, callback=done)
        )

    def _established(self) -> Connection:
        if self._connection is None:
            raise BrokerLost("there is no connection to the broker")
        return self._connection

    async def _serve(self) -> bool:
        """One connection, until it breaks. False when there was none, or `on_connected` failed."""
        host = self._address.hosts[self._turn % len(self._address.hosts)]
        where = "{}:{}".format(*host)
        self._connection = connection = self._connect(self._address, host, self._name)
        try:
            await connection.open()
        except (BrokerError, TimeoutError) as error:
            _log.warning("the broker at %s cannot be reached: %s", where, error or "it did not answer in time")
            self._connection = None
            await connection.close()
            return False
        self.connects += 1
        well = True
        _log.info("connected to the broker at %s%s", where, " over TLS" if self._address.tls else "")
        try:
            if self._on_connected is not None:
                await self._on_connected()
        except BrokerError as error:
            _log.warning("connected to the broker, but could not begin: %s", error)
            well = False
        else:
            reason = await connection.closed
            if not self._stopping.is_set():
                _log.warning("the connection to the broker broke: %s", reason)
        self._connection = None
        connection.broken("closed")
        await connection.close()
        if self._on_lost is not None:
            self._on_lost()
        return well
