"""One connection to RabbitMQ, from its opening to its end, with its channels. It does not come back: `Broker` does."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import pika
import pika.exceptions
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel

from wire.broker.address import BrokerAddress, Host, describe_ca
from wire.broker.calls import call, consumers_of
from wire.broker.confirms import Confirms, retrieve
from wire.broker.errors import BrokerLost, QueueDiffers, describe

_AMQP_HEARTBEAT_S: Final = 20
_COUNTED_AT_ONCE: Final = 50
"""Queues that one channel asks for, one after the other."""
_CONNECT_TIMEOUT_S: Final = 15.0
_NEXT_HOST_S: Final = 5.0
"""How long a host of a cluster may take to answer at all, before the next is tried."""
_CLOSE_S: Final = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One received message. `user_id` is the sender's broker user, which the broker has checked."""

    body: bytes
    user_id: str | None
    redelivered: bool
    headers: dict[str, Any]
    _channel: Channel
    _tag: int

    def ack(self, *, multiple: bool) -> None:
        """Acknowledge it, or with `multiple` all up to it; nothing when its connection is gone."""
        if self._channel.is_open:
            self._channel.basic_ack(self._tag, multiple)

    def reject(self, *, requeue: bool) -> None:
        """Give it back, or without `requeue` to the queue's dead letter exchange."""
        if self._channel.is_open:
            # Not basic.nack, which from RabbitMQ 4.3 on no longer counts towards a queue's delivery limit.
            self._channel.basic_reject(self._tag, requeue=requeue)


class _Pika(AsyncioConnection):  # type: ignore[misc]  # pika is not typed
    """Sends what one pass of the event loop says in one system call; pika would use one for each frame."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._unsent: list[bytes] = []
        super().__init__(*arguments, **named)

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send_all)
        self._unsent.extend(marshaled_frames)

    def _send_all(self) -> None:
        frames, self._unsent = self._unsent, []
        if self._transport is not None:  # else the connection is gone, and all on its way with it
            super()._output_marshaled_frames([b"".join(frames)])


class Connection:
    """One connection. Each has its own state, so that the late end of one cannot be taken for the end of the next."""

    def __init__(self, address: BrokerAddress, host: Host, name: str, *, heartbeat_s: int = _AMQP_HEARTBEAT_S) -> None:
        """To one of the address's hosts. `name` is shown in RabbitMQ's list of connections.

        The broker takes it for gone when it has heard nothing of it for two to three times `heartbeat_s`.
        """
        self._address = address
        self._host, self._port = host
        self._name = name
        self._heartbeat_s = heartbeat_s
        self._pika: _Pika | None = None
        self._publisher: Channel | None = None
        self._consumers: dict[str, Channel] = {}
        self.confirms = Confirms(address.user)
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Ends with the reason when the connection, or a channel it cannot do without, is gone."""
        self.blocked = ""
        """While the broker takes nothing of what is published here: its reason, as it says it ("low on disk")."""

    @property
    def ready(self) -> bool:
        """Whether it is open and nothing of it is gone."""
        return self._publisher is not None

    @property
    def publisher(self) -> Channel | None:
        """The channel to publish on, while it is open."""
        return self._publisher if self._publisher is not None and self._publisher.is_open else None

    async def open(self) -> None:
        """Connect, and open the channel to publish on. Raises `BrokerLost` or `TimeoutError`."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        opened.add_done_callback(retrieve)

        def on_error(_: object, error: object) -> None:
            if not opened.done():
                opened.set_exception(BrokerLost(describe(error)))

        def on_open(_: object) -> None:
            if not opened.done():
                opened.set_result(None)

        try:
            # Read anew: what a file trusts may have been changed since, and nothing needs a restart for that.
            trust = self._address.trust()
        except (OSError, ValueError) as error:
            raise BrokerLost(f"SKERRY_BROKER_CA_FILE: {describe_ca(self._address.ca_file, error)}") from error
        self._pika = _Pika(
            pika.ConnectionParameters(
                host=self._host,
                port=self._port,
                ssl_options=None if trust is None else pika.SSLOptions(trust, self._host),
                # Of a host that is off nothing comes back at all.
                socket_timeout=_NEXT_HOST_S if self._address.is_cluster else _CONNECT_TIMEOUT_S,
                virtual_host=self._address.vhost,
                credentials=pika.PlainCredentials(self._address.user, self._address.password),
                heartbeat=self._heartbeat_s,
                client_properties={"connection_name": self._name},
            ),
            on_open_callback=on_open,
            on_open_error_callback=on_error,
            on_close_callback=lambda _, error: self.broken(describe(error)),
            custom_ioloop=loop,
        )
        await asyncio.wait_for(opened, _CONNECT_TIMEOUT_S)
        self._pika.add_on_connection_blocked_callback(lambda _, frame: self._set_blocked(frame.method.reason))
        self._pika.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(""))
        channel = await self._open_channel()
        channel.add_on_return_callback(self.confirms.on_return)
        channel.add_on_close_callback(lambda _, error: self.broken(describe(error)))
        await call(lambda done: channel.confirm_delivery(self.confirms.on_confirm, callback=done), channel)
        self._publisher = channel

    async def consume(
        self, queue: str, on_delivery: Callable[[Delivery], None], *, prefetch: int, exclusive: bool
    ) -> str:
        """Consume on a channel of its own. The consumer's tag."""
        channel = await self._open_channel()
        await call(lambda done: channel.basic_qos(prefetch_count=prefetch, callback=done), channel)

        def receive(_: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            on_delivery(
                Delivery(
                    body, properties.user_id, method.redelivered, properties.headers or {}, channel, method.delivery_tag
                )
            )

        tags: list[str] = []
        await call(
            lambda done: tags.append(channel.basic_consume(queue, receive, exclusive=exclusive, callback=done)), channel
        )
        channel.add_on_close_callback(self._on_consumer_closed)
        channel.add_on_cancel_callback(lambda _: self.broken(f"the queue {queue} is gone"))
        self._consumers[tags[0]] = channel
        return tags[0]

    def cancel(self, consumer_tag: str) -> None:
        """Stop this consumer."""
        channel = self._consumers.pop(consumer_tag, None)
        if channel is not None and channel.is_open:
            channel.close()

    async def declare(self, method: Callable[[Channel, Callable[..., None]], object]) -> None:
        """Call a pika method on a channel for this one call, since a refused declaration closes its channel."""
        async with self._channel() as channel:
            await call(lambda done: method(channel, done), channel)

    async def queue_length(self, name: str) -> int:
        """How many messages wait in the queue."""
        told: list[int] = []
        async with self._channel() as channel:

            def declare(done: Callable[..., None]) -> None:
                def on_answer(frame: Any) -> None:
                    told.append(frame.method.message_count)
                    done()

                channel.queue_declare(name, passive=True, callback=on_answer)

            await call(declare, channel)
        return told[0]

    async def count_consumers(self, queues: Sequence[str]) -> dict[str, int]:
        """How many consumers each of these queues has at this moment. One that is not there is left out."""
        parts = [queues[start : start + _COUNTED_AT_ONCE] for start in range(0, len(queues), _COUNTED_AT_ONCE)]
        found: dict[str, int] = {}
        for counted in await asyncio.gather(*(self._count_consumers(part) for part in parts)):
            found |= counted
        return found

    async def _count_consumers(self, queues: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        waiting = list(reversed(queues))
        while waiting:
            # A queue that is not there ends the channel; those after it are asked for on another.
            with contextlib.suppress(QueueDiffers):
                async with self._channel() as channel:
                    while waiting:
                        name = waiting.pop()
                        found[name] = await consumers_of(name, channel)
        return found

    def broken(self, reason: str) -> None:
        """Also called for a channel that the broker closed: half a connection is of no use, so all of it goes."""
        self._publisher = None
        self._consumers.clear()
        self.confirms.lost(reason)
        if not self.closed.done():
            self.closed.set_result(reason)

    async def close(self) -> None:
        """Close it, if it is still open; waits a moment for the broker's answer."""
        connection, self._pika = self._pika, None
        if connection is not None and connection.is_open:
            connection.close()
            if not self.closed.done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(self.closed), _CLOSE_S)

    def _set_blocked(self, reason: str) -> None:
        self.blocked = reason

    def _on_consumer_closed(self, channel: Channel, error: object) -> None:
        if channel in self._consumers.values():
            self.broken(describe(error))

    async def _open_channel(self) -> Channel:
        if self._pika is None or not self._pika.is_open:
            raise BrokerLost("there is no connection to the broker")
        opened: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()

        def on_open(channel: Channel) -> None:
            if not opened.done():
                opened.set_result(channel)

        self._pika.channel(on_open_callback=on_open)
        await asyncio.wait({opened, self.closed}, timeout=_CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            raise BrokerLost("the broker opened no channel")
        return opened.result()

    @contextlib.asynccontextmanager
    async def _channel(self) -> AsyncIterator[Channel]:
        channel = await self._open_channel()
        try:
            yield channel
        finally:
            if channel.is_open:
                channel.close()


Connect = Callable[[BrokerAddress, Host, str], Connection]
"""Makes a connection that is not open yet: the broker's address, the host of it, and the connection's name."""
