"""Publishing on one channel, and what the broker has confirmed of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pika
from pika.channel import Channel

from wire.broker.errors import BrokerLost, Unroutable


class Confirms:
    """The messages of one channel that wait for the broker's confirm. `lost` ends them all."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._returned: set[int] = set()
        self._next_tag = 1

    def publish(
        self,
        channel: Channel,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        persistent: bool,
        mandatory: bool,
        headers: dict[str, Any] | None,
    ) -> asyncio.Future[None]:
        """Send a message; the future ends with the broker's answer. Always the same channel."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(retrieve)
        tag = self._next_tag
        self._next_tag += 1
        self._waiting[tag] = future
        properties = pika.BasicProperties(
            user_id=self._user,
            delivery_mode=2 if persistent else 1,
            # A returned message carries no delivery tag; this is how it is told which one it was.
            message_id=str(tag) if mandatory else None,
            headers=headers,
        )
        channel.basic_publish(exchange, routing_key, body, properties, mandatory)
        return future

    def waiting(self) -> list[asyncio.Future[None]]:
        """The futures of what is not confirmed yet."""
        return list(self._waiting.values())

    def lost(self, reason: str) -> None:
        """The connection broke: nobody knows what became of what was under way."""
        self._returned.clear()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(BrokerLost(reason))

    def on_return(self, _: Channel, __: Any, properties: pika.BasicProperties, ___: bytes) -> None:
        """A mandatory message comes back. The return comes before the confirm of the same message."""
        if properties.message_id:
            self._returned.add(int(properties.message_id))

    def on_confirm(self, frame: Any) -> None:
        """The broker has one message safe, or all up to one; or it refuses them."""
        tag: int = frame.method.delivery_tag
        refused = isinstance(frame.method, pika.spec.Basic.Nack)
        if frame.method.multiple:
            # Tags are given in order and a dict keeps it, so the confirmed ones are at the front.
            tags = []
            for known in self._waiting:
                if known > tag:
                    break
                tags.append(known)
        else:
            tags = [tag]
        for known in tags:
            future = self._waiting.pop(known, None)
            returned = known in self._returned
            self._returned.discard(known)
            if future is None or future.done():
                continue
            if returned or refused:
                future.set_exception(Unroutable("no queue takes this message" if returned else "the broker refused it"))
            else:
                future.set_result(None)


def retrieve(future: asyncio.Future[Any]) -> None:
    """Mark a future's exception as seen, since not everyone who publishes waits for the confirm."""
    if not future.cancelled():
        future.exception()
