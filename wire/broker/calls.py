"""Calls of pika's that are answered by a callback, or by the end of their channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pika.exceptions
from pika.channel import Channel

from wire.broker.confirms import retrieve
from wire.broker.errors import BrokerError, BrokerLost, QueueDiffers, QueueLocked, describe

_REFUSALS: Final[dict[int, type[BrokerError]]] = {404: QueueDiffers, 405: QueueLocked, 406: QueueDiffers}
"""Why the broker closed a channel for a call: not found (or its host is away), locked, precondition failed."""
_CALL_TIMEOUT_S: Final = 5.0


async def call(method: Callable[[Callable[..., None]], object], channel: Channel) -> None:
    """Call a pika method that takes a callback, and wait for its answer or for its channel to be closed instead."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answered.add_done_callback(retrieve)

    def on_closed(_: Channel, error: object) -> None:
        if not answered.done():
            kind = _REFUSALS.get(getattr(error, "reply_code", 0), BrokerLost)
            if "exclusive use" in describe(error):
                # Of a consumer the broker says it by the number of a right that is missing.
                kind = QueueLocked
            answered.set_exception(kind(describe(error)))

    def on_answer(*_: object) -> None:
        if not answered.done():
            answered.set_result(None)

    channel.add_on_close_callback(on_closed)
    try:
        method(on_answer)
    except pika.exceptions.AMQPError as error:
        raise BrokerLost(describe(error)) from error
    try:
        # A broker that has just come up can leave a call about a quorum queue unanswered for a minute, while a new
        # connection is answered at once: better to give up early and begin again.
        await asyncio.wait_for(answered, _CALL_TIMEOUT_S)
    except TimeoutError as error:
        raise BrokerLost(f"the broker did not answer within {_CALL_TIMEOUT_S:.0f} s") from error


async def consumers_of(queue: str, channel: Channel) -> int:
    """How many consumers the queue has now. `QueueDiffers` when it is not there, which ends the channel."""
    told: list[int] = []

    def ask(done: Callable[..., None]) -> None:
        def on_answer(frame: Any) -> None:
            told.append(frame.method.consumer_count)
            done()

        channel.queue_declare(queue, passive=True, callback=on_answer)

    await call(ask, channel)
    return told[0]
