"""The one door to RabbitMQ: a connection that comes back, confirmed publishing, and consuming, on asyncio.

Nothing else imports pika; its errors become the ones below. A `Broker` lives on one event loop and is used only
from it.

Confirms are pipelined: `publish` never waits, its future resolves when the broker has the message safe. What was under
way when a connection broke ends with `BrokerLost`; it may or may not have arrived, so whoever publishes must be able to
publish it again, and whoever receives must take a second copy for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pika
import pika.exceptions
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel

from wire.settings import SettingsError

_log = logging.getLogger(__name__)

_RESOURCE_LOCKED: Final = 405
_FIRST_RETRY_S: Final = 0.2
_LONGEST_RETRY_S: Final = 5.0
_AMQP_HEARTBEAT_S: Final = 20
_CONNECT_TIMEOUT_S: Final = 15.0
_CALL_TIMEOUT_S: Final = 5.0
_FLUSH_S: Final = 1.0


class BrokerError(Exception):
    """The base of this module's errors."""


class BrokerLost(BrokerError):
    """There is no connection, or it broke before the broker confirmed."""


class Unroutable(BrokerError):
    """A mandatory message whose routing key leads to no queue, or one the broker refused to take."""


class QueueLocked(BrokerError):
    """An exclusive queue that another connection holds."""


@dataclasses.dataclass(frozen=True)
class BrokerAddress:
    """Where the broker is and who connects."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = dataclasses.field(repr=False)

    @classmethod
    def read(cls, url: str, password_file: Path) -> BrokerAddress:
        """From `amqp://user@host:port/vhost` and a file with the password. SettingsError, naming both variables."""
        where = "SKERRY_BROKER_URL or SKERRY_BROKER_PASSWORD_FILE"
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port or 5672
            password = password_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{where}: {error}") from error
        if parts.scheme != "amqp" or not parts.hostname or not parts.username:
            raise SettingsError(f"{where}: the broker's address must read amqp://user@host:port/vhost")
        if parts.password:
            raise SettingsError(f"{where}: the address must not carry the password, which belongs in its own file")
        return cls(
            host=parts.hostname,
            port=port,
            vhost=urllib.parse.unquote(parts.path[1:]) or "/",
            user=urllib.parse.unquote(parts.username),
            password=password,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One received message. `user_id` is the sender's broker user, which the broker has checked."""

    body: bytes
    user_id: str | None
    redelivered: bool
    headers: dict[str, Any]
    _channel: Channel
    _tag: int


class _Connection(AsyncioConnection):  # type: ignore[misc]  # pika is not typed
    """Sends all frames of a message in one system call; pika would use one for each, three for a publish."""

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        super()._output_marshaled_frames([b"".join(marshaled_frames)])


class Broker:
    """A connection to RabbitMQ that is kept up by `run` until `stop`."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        name: str,
        on_connected: Callable[[], Awaitable[None]] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """`name` is shown in RabbitMQ's list of connections.

        `on_connected` runs after each connect and reconnect: declare and consume there. If it raises, the connection is
        closed and tried again. `on_lost` runs each time an established connection has broken.
        """
        self._address = address
        self._name = name
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._connection: _Connection | None = None
        self._publisher: Channel | None = None
        self._closed: asyncio.Future[str] | None = None
        self._consumers: dict[str, Channel] = {}
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._returned: set[int] = set()
        self._next_tag = 1
        self._stopping = asyncio.Event()
        self._ready = False
        self.connects = 0
        """How often it has connected: tells one connection from the next."""

    @property
    def connected(self) -> bool:
        """Whether publishing works now."""
        return self._ready

    async def run(self) -> None:
        """Connect, and reconnect with growing pauses, until `stop` is called."""
        pause = _FIRST_RETRY_S
        while not self._stopping.is_set():
            try:
                await self._connect()
            except (BrokerError, TimeoutError) as error:
                _log.warning("the broker at %s:%s cannot be reached: %s", self._address.host, self._address.port, error)
                await self._close()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(pause * 2, _LONGEST_RETRY_S)
                continue
            if await self._serve():
                pause = _FIRST_RETRY_S
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(pause * 2, _LONGEST_RETRY_S)

    async def stop(self) -> None:
        """Give what is unconfirmed a second to be confirmed, then close; `run` returns."""
        pending = list(self._unconfirmed.values())
        if pending:
            await asyncio.wait(pending, timeout=_FLUSH_S)
        self._stopping.set()
        await self._close()

    def publish(
        self, exchange: str, routing_key: str, body: bytes, *, persistent: bool = True, mandatory: bool = False
    ) -> asyncio.Future[None]:
        """Send a message. The future resolves when the broker has confirmed it.

        It ends with `BrokerLost` when the connection is or goes away, and with `Unroutable` when a mandatory message
        reached no queue or the broker refused it. It need not be awaited.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        channel = self._publisher
        if not self._ready or channel is None or not channel.is_open:
            future.set_exception(BrokerLost("there is no connection to the broker"))
            return future
        tag = self._next_tag
        self._next_tag += 1
        self._unconfirmed[tag] = future
        properties = pika.BasicProperties(
            user_id=self._address.user,
            delivery_mode=2 if persistent else 1,
            # A returned message carries no delivery tag; this is how it is told which one it was.
            message_id=str(tag) if mandatory else None,
        )
        channel.basic_publish(exchange, routing_key, body, properties, mandatory)
        return future

    def publish_unconfirmed(self, exchange: str, routing_key: str, body: bytes) -> bool:
        """Send a transient message whose loss does no harm. False when there is no connection."""
        if not self._ready:
            return False
        self.publish(exchange, routing_key, body, persistent=False)
        return True

    async def consume(self, queue: str, on_delivery: Callable[[Delivery], None], *, prefetch: int) -> str:
        """Consume on a channel of its own, until the connection breaks. At most `prefetch` unacknowledged at a time."""
        channel = await self._open_channel()
        await _call(lambda done: channel.basic_qos(prefetch_count=prefetch, callback=done), channel)

        def receive(_: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            on_delivery(
                Delivery(
                    body, properties.user_id, method.redelivered, properties.headers or {}, channel, method.delivery_tag
                )
            )

        tags: list[str] = []
        await _call(lambda done: tags.append(channel.basic_consume(queue, receive, callback=done)), channel)
        channel.add_on_close_callback(self._on_consumer_closed)
        channel.add_on_cancel_callback(lambda _: self._connection_broken(f"the queue {queue} is gone"))
        self._consumers[tags[0]] = channel
        return tags[0]

    async def cancel(self, consumer_tag: str) -> None:
        """Stop this consumer. What it has not acknowledged goes back to its queue."""
        channel = self._consumers.pop(consumer_tag, None)
        if channel is not None and channel.is_open:
            channel.close()

    def ack(self, delivery: Delivery, *, multiple: bool = False) -> None:
        """Acknowledge a delivery, or with `multiple` all up to it; nothing when its connection is gone."""
        if delivery._channel.is_open:
            delivery._channel.basic_ack(delivery._tag, multiple)

    def reject(self, delivery: Delivery, *, requeue: bool) -> None:
        """Give a delivery back, or without `requeue` to the queue's dead letter exchange."""
        if delivery._channel.is_open:
            delivery._channel.basic_nack(delivery._tag, multiple=False, requeue=requeue)

    async def declare_queue(
        self, name: str, *, durable: bool = True, exclusive: bool = False, arguments: dict[str, Any] | None = None
    ) -> None:
        """Make the queue if it is not there. Raises `QueueLocked` when another connection holds it."""
        async with self._channel() as channel:
            await _call(
                lambda done: channel.queue_declare(
                    name, durable=durable, exclusive=exclusive, arguments=arguments, callback=done
                ),
                channel,
            )

    async def declare_exchange(self, name: str, kind: str, *, durable: bool = True) -> None:
        """Make the exchange if it is not there."""
        async with self._channel() as channel:
            await _call(lambda done: channel.exchange_declare(name, kind, durable=durable, callback=done), channel)

    async def bind_queue(self, queue: str, exchange: str, routing_key: str) -> None:
        """Let messages to `exchange` with `routing_key` go to `queue`."""
        async with self._channel() as channel:
            await _call(lambda done: channel.queue_bind(queue, exchange, routing_key, callback=done), channel)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        opened.add_done_callback(_retrieve)
        self._closed = loop.create_future()

        def on_error(_: object, error: object) -> None:
            if not opened.done():
                opened.set_exception(BrokerLost(_describe(error)))

        def on_open(_: object) -> None:
            if not opened.done():
                opened.set_result(None)

        self._connection = _Connection(
            pika.ConnectionParameters(
                host=self._address.host,
                port=self._address.port,
                virtual_host=self._address.vhost,
                credentials=pika.PlainCredentials(self._address.user, self._address.password),
                heartbeat=_AMQP_HEARTBEAT_S,
                client_properties={"connection_name": self._name},
            ),
            on_open_callback=on_open,
            on_open_error_callback=on_error,
            on_close_callback=lambda _, error: self._connection_broken(_describe(error)),
            custom_ioloop=loop,
        )
        await asyncio.wait_for(opened, _CONNECT_TIMEOUT_S)
        channel = await self._open_channel()
        channel.add_on_return_callback(self._on_return)
        channel.add_on_close_callback(lambda _, error: self._connection_broken(_describe(error)))
        await _call(lambda done: channel.confirm_delivery(self._on_confirm, callback=done), channel)
        self._publisher = channel
        self._next_tag = 1
        self._ready = True
        self.connects += 1

    async def _serve(self) -> bool:
        """Until the connection breaks. False when `on_connected` failed."""
        closed = self._closed
        if closed is None:
            return False
        well = True
        _log.info("connected to the broker at %s:%s", self._address.host, self._address.port)
        try:
            if self._on_connected is not None:
                await self._on_connected()
        except BrokerError as error:
            _log.warning("connected to the broker, but could not begin: %s", error)
            well = False
        else:
            reason = await closed
            if not self._stopping.is_set():
                _log.warning("the connection to the broker broke: %s", reason)
        self._connection_broken("closed")
        await self._close()
        if self._on_lost is not None:
            self._on_lost()
        return well

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.is_open:
            connection.close()
            closed = self._closed
            if closed is not None and not closed.done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(closed), _FLUSH_S)

    def _connection_broken(self, reason: str) -> None:
        """Also called for a channel that the broker closed: half a connection is of no use, so all of it goes."""
        self._ready = False
        self._publisher = None
        self._consumers.clear()
        self._returned.clear()
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for future in unconfirmed.values():
            if not future.done():
                future.set_exception(BrokerLost(reason))
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(reason)

    def _on_consumer_closed(self, channel: Channel, error: object) -> None:
        if channel in self._consumers.values():
            self._connection_broken(_describe(error))

    def _on_return(self, _: Channel, __: Any, properties: pika.BasicProperties, ___: bytes) -> None:
        # The return comes before the confirm of the same message.
        if properties.message_id:
            self._returned.add(int(properties.message_id))

    def _on_confirm(self, frame: Any) -> None:
        tag: int = frame.method.delivery_tag
        refused = isinstance(frame.method, pika.spec.Basic.Nack)
        if frame.method.multiple:
            # Tags are given in order and a dict keeps it, so the confirmed ones are at the front.
            tags = []
            for known in self._unconfirmed:
                if known > tag:
                    break
                tags.append(known)
        else:
            tags = [tag]
        for known in tags:
            future = self._unconfirmed.pop(known, None)
            returned = known in self._returned
            self._returned.discard(known)
            if future is None or future.done():
                continue
            if returned or refused:
                future.set_exception(Unroutable("no queue takes this message" if returned else "the broker refused it"))
            else:
                future.set_result(None)

    async def _open_channel(self) -> Channel:
        connection = self._connection
        if connection is None or not connection.is_open:
            raise BrokerLost("there is no connection to the broker")
        opened: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()

        def on_open(channel: Channel) -> None:
            if not opened.done():
                opened.set_result(channel)

        connection.channel(on_open_callback=on_open)
        closed = self._closed
        waits: set[asyncio.Future[Any]] = {opened} if closed is None else {opened, closed}
        await asyncio.wait(waits, timeout=_CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            raise BrokerLost("the broker opened no channel")
        return opened.result()

    @contextlib.asynccontextmanager
    async def _channel(self) -> AsyncIterator[Channel]:
        """A channel for one declaration, since a refused one closes its channel."""
        channel = await self._open_channel()
        try:
            yield channel
        finally:
            if channel.is_open:
                channel.close()


async def _call(method: Callable[[Callable[..., None]], object], channel: Channel) -> None:
    """Call a pika method that takes a callback, and wait for its answer or for its channel to be closed instead."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answered.add_done_callback(_retrieve)

    def on_closed(_: Channel, error: object) -> None:
        if not answered.done():
            locked = getattr(error, "reply_code", None) == _RESOURCE_LOCKED
            answered.set_exception((QueueLocked if locked else BrokerLost)(_describe(error)))

    def on_answer(*_: object) -> None:
        if not answered.done():
            answered.set_result(None)

    channel.add_on_close_callback(on_closed)
    try:
        method(on_answer)
    except pika.exceptions.AMQPError as error:
        raise BrokerLost(_describe(error)) from error
    try:
        # A broker that has just come up can leave a call about a quorum queue unanswered for a minute, while a new
        # connection is answered at once: better to give up early and begin again.
        await asyncio.wait_for(answered, _CALL_TIMEOUT_S)
    except TimeoutError as error:
        raise BrokerLost(f"the broker did not answer within {_CALL_TIMEOUT_S:.0f} s") from error


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Mark a future's exception as seen, since not everyone who publishes waits for the confirm."""
    if not future.cancelled():
        future.exception()


def _describe(error: object) -> str:
    """What happened, in words; pika's own text is often empty."""
    # pika wraps the cause of a failed connection several times over, each time under another name.
    while isinstance(error, BaseException):
        if isinstance(error, pika.exceptions.ProbableAuthenticationError):
            break
        inner = (getattr(error, "exceptions", None) or [getattr(error, "exception", None)])[-1]
        inner = inner or (error.args[0] if error.args and isinstance(error, pika.exceptions.AMQPError) else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    if isinstance(error, pika.exceptions.ProbableAuthenticationError):
        return "it refused the user or password"
    return str(getattr(error, "reply_text", "") or error) or type(error).__name__
