"""The processes' ends of connections to the simulated broker: what the real `wire.broker.Broker` works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pika
from pika.channel import Channel

from wire.broker import BrokerAddress, BrokerError, BrokerLost, Connect, Connection, Delivery

from .network import Client, Message
from .queues import Consumer
from .rabbit import Rabbit, Session

_ANSWER_S: Final = 5.0
"""As long as a real connection waits for an answer."""


def connect(rabbit: Rabbit, client: Client) -> Connect:
    """Makes this process's connections."""
    return lambda address, host, name: SimulatedConnection(rabbit, client, address, name)


class SimulatedChannel:
    """What the platform calls of a channel of pika's."""

    def __init__(self, session: Session, connection: SimulatedConnection) -> None:
        self.session = session
        self.consumer: Consumer | None = None
        self._connection = connection
        self._open = True
        self._published = 0
        session.channels.append(self)

    def as_pika(self) -> Channel:
        channel: Channel = self  # pika is not typed
        return channel

    @property
    def is_open(self) -> bool:
        return self._open and not self._connection.closed.done() and self.session.client.alive

    def close(self) -> None:
        self._open = False
        self.session.up(self.close_here)

    def close_here(self) -> None:
        """At the broker's end."""
        self._open = False
        consumer, self.consumer = self.consumer, None
        if consumer is not None:
            consumer.end()

    def basic_publish(
        self, exchange: str, key: str, body: bytes, properties: pika.BasicProperties, mandatory: bool
    ) -> None:
        self._published += 1
        tag, rabbit = self._published, self.session.rabbit
        if not self.session.client.effect():
            return
        message = Message(
            exchange, key, body, properties.user_id, properties.delivery_mode == 2, properties.headers or {}
        )
        rabbit.said(self.session.client, message)
        confirms = self._connection.confirms

        def arrive() -> None:
            if not rabbit.route(message) and mandatory:
                self.session.down(lambda: confirms.on_return(self.as_pika(), None, properties, body))
            self.session.down(lambda: confirms.on_confirm(pika.frame.Method(1, pika.spec.Basic.Ack(tag, False))))

        self.session.up(arrive, publishes=True)

    def basic_ack(self, tag: int, multiple: bool) -> None:
        if (consumer := self.consumer) is not None and self.session.client.effect():
            self.session.up(lambda: consumer.acknowledge(tag, multiple))

    def basic_nack(self, tag: int, *, multiple: bool, requeue: bool) -> None:
        if (consumer := self.consumer) is not None and self.session.client.effect():
            self.session.up(lambda: consumer.refuse(tag, requeue))

    def queue_declare(
        self,
        name: str,
        *,
        durable: bool,
        exclusive: bool,
        arguments: Mapping[str, Any] | None,
        callback: Callable[[object], None],
    ) -> None:
        self.session.rabbit.declare(name, arguments, self.session if exclusive else None)
        callback(None)

    def queue_delete(self, name: str, *, callback: Callable[[object], None]) -> None:
        raise NotImplementedError("nothing here deletes queues")

    def exchange_declare(self, name: str, kind: str, *, durable: bool, callback: Callable[[object], None]) -> None:
        callback(None)  # they all stand

    def queue_bind(self, queue: str, exchange: str, key: str, *, callback: Callable[[object], None]) -> None:
        callback(None)  # as do the ways from them


class SimulatedConnection(Connection):
    """One connection of a process to the simulated broker."""

    def __init__(self, rabbit: Rabbit, client: Client, address: BrokerAddress, name: str) -> None:
        super().__init__(address, (address.host, address.port), name)
        self.name = name
        self.client = client
        self._rabbit = rabbit
        self._session: Session | None = None

    async def open(self) -> None:
        await asyncio.sleep(self._rabbit.timeline.rng.random() * 0.05)
        if not self._rabbit.up or self.client.link.cut(self._rabbit.timeline.now):
            raise BrokerLost("it cannot be reached")
        self._session = Session(self._rabbit, self)
        self._rabbit.sessions.append(self._session)
        self._publisher = SimulatedChannel(self._session, self).as_pika()

    async def consume(
        self, queue: str, on_delivery: Callable[[Delivery], None], *, prefetch: int, exclusive: bool
    ) -> str:
        session = self._established()
        channel = SimulatedChannel(session, self)

        def begin() -> None:
            found = self._rabbit.queues[queue]
            channel.consumer = Consumer(found, channel, on_delivery, prefetch)
            found.consumers.append(channel.consumer)
            found.pump()

        await self._ask(session, begin)
        self._consumers[queue] = channel.as_pika()
        return queue

    async def declare(self, method: Callable[[Channel, Callable[..., None]], object]) -> None:
        session = self._established()
        channel = SimulatedChannel(session, self)
        try:
            await self._ask(session, lambda: method(channel.as_pika(), lambda *_: None))
        finally:
            session.channels.remove(channel)

    async def queue_length(self, name: str) -> int:
        raise NotImplementedError("nobody here asks for it")

    async def count_consumers(self, queues: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}

        def count() -> None:
            known = self._rabbit.queues
            found.update((name, len(known[name].consumers)) for name in queues if name in known)

        await self._ask(self._established(), count)
        return found

    def told_blocked(self, reason: str) -> None:
        """The broker says that it takes nothing of what is published here, or does again."""
        self.blocked = reason

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None and self.client.alive:
            session.up(session.drop)

    def _established(self) -> Session:
        if self._session is None or self.closed.done():
            raise BrokerLost("there is no connection to the broker")
        return self._session

    async def _ask(self, session: Session, what: Callable[[], object]) -> None:
        """Have the broker do this, and wait for its answer. Raises its refusal, or `BrokerLost`."""
        answered: asyncio.Future[BrokerError | None] = asyncio.get_running_loop().create_future()

        def answer(error: BrokerError | None) -> None:
            if not answered.done():
                answered.set_result(error)

        def do() -> None:
            try:
                what()
            except BrokerError as refusal:
                error = refusal
                session.down(lambda: answer(error))
            else:
                session.down(lambda: answer(None))

        session.up(do)
        either: set[asyncio.Future[Any]] = {answered, self.closed}
        await asyncio.wait(either, timeout=_ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise BrokerLost("the broker did not answer")
        if (error := answered.result()) is not None:
            raise error
