"""wire.broker against a real RabbitMQ."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from support.rabbitmq import PrivateRabbit

from wire.broker import Broker, BrokerAddress, BrokerLost, Delivery, QueueLocked, Unroutable


@contextlib.asynccontextmanager
async def connected(
    rabbit: PrivateRabbit, begin: Callable[[Broker], Awaitable[None]] | None = None
) -> AsyncIterator[Broker]:
    async def on_connected() -> None:
        if begin is not None:
            await begin(broker)

    address = BrokerAddress.read(rabbit.url, rabbit.password_file)
    broker = Broker(address, name="test", on_connected=on_connected)
    running = asyncio.create_task(broker.run())
    try:
        await until(lambda: broker.connected)
        yield broker
    finally:
        await broker.stop()
        await running


async def until(condition: Callable[[], object], timeout: float = 30) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


def test_confirmed_messages_arrive_in_order_with_the_senders_identity(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        async with connected(broker) as link:
            await link.declare_queue("t.order", arguments={"x-queue-type": "quorum"})
            received: list[Delivery] = []
            await link.consume("t.order", received.append, prefetch=1000)
            await asyncio.gather(*(link.publish("", "t.order", str(n).encode()) for n in range(500)))
            await until(lambda: len(received) == 500)
            assert [int(one.body) for one in received] == list(range(500))
            assert {one.user_id for one in received} == {broker.user}
            link.ack(received[-1], multiple=True)
            broker.api("/api/queues/%2F/t.order", "DELETE")

    asyncio.run(scenario())


def test_a_mandatory_message_without_a_queue_is_unroutable(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        async with connected(broker) as link:
            lost = link.publish("", "t.nowhere", b"x", mandatory=True)
            fine = link.publish("", "t.nowhere", b"x")
            with pytest.raises(Unroutable):
                await lost
            await fine

    asyncio.run(scenario())


def test_an_exclusive_queue_is_locked_for_others_until_its_connection_ends(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        async with connected(broker) as second:
            async with connected(broker) as first:
                await first.declare_queue("t.lock", durable=False, exclusive=True)
                with pytest.raises(QueueLocked):
                    await second.declare_queue("t.lock", durable=False, exclusive=True)
                assert second.connected
            await asyncio.sleep(0.2)
            await second.declare_queue("t.lock", durable=False, exclusive=True)

    asyncio.run(scenario())


def test_it_comes_back_after_the_broker_was_killed(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        begun: list[str] = []
        received: list[Delivery] = []

        async def begin(link: Broker) -> None:
            await link.declare_queue("t.back", arguments={"x-queue-type": "quorum"})
            await link.consume("t.back", received.append, prefetch=10)
            begun.append("begun")

        async with connected(broker, begin) as link:
            await until(lambda: len(begun) == 1)
            await link.publish("", "t.back", b"before")
            # RabbitMQ 3.10 keeps the list of its quorum queues in a table that it saves twice a second; a queue that
            # is younger than that when the machine dies does not come back.
            await asyncio.sleep(1.5)
            await asyncio.to_thread(broker.kill)
            with pytest.raises(BrokerLost):
                await link.publish("", "t.back", b"while it is away")
            await asyncio.to_thread(broker.start)
            await until(lambda: len(begun) == 2)
            await link.publish("", "t.back", b"after")
            await until(lambda: received and received[-1].body == b"after")
            # The first was never acknowledged, so it comes again.
            assert [one.body for one in received].count(b"before") == 2
            broker.api("/api/queues/%2F/t.back", "DELETE")

    asyncio.run(scenario())


def test_the_late_end_of_a_connection_is_not_taken_for_the_end_of_the_next(
    broker: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with connected(broker) as link:
            for connects in (2, 3, 4):
                # The broker closes the channel for this, and the whole connection goes with it.
                with pytest.raises(BrokerLost):
                    await link.publish("t.no such exchange", "", b"x")
                await until(lambda: link.connected)
                assert link.connects == connects
            assert "cannot be reached" not in caplog.text

    asyncio.run(scenario())


def test_the_consumers_of_many_queues_are_counted_as_they_are_now(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        names = [f"t.count.{number}" for number in range(60)]
        async with connected(broker) as link, connected(broker) as other:
            for name in names[1:]:  # the first is not there
                await link.declare_queue(name, arguments={"x-queue-type": "classic"})
            for name in names[5:8]:
                await other.consume(name, lambda _: None, prefetch=1)
            expected = {name: int(name in names[5:8]) for name in names[1:]}
            assert await link.count_consumers(names) == expected
            other.drop("the test")
            await until(lambda: other.connects == 2)
            assert await link.count_consumers(names) == dict.fromkeys(names[1:], 0)
            for name in names[1:]:
                await link.delete_queue(name)

    asyncio.run(scenario())


def test_a_broker_in_need_says_so_to_who_publishes_and_answers_who_does_not(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        async with connected(broker) as speaking, connected(broker) as silent:
            await silent.declare_queue("t.need", arguments={"x-queue-type": "classic"})
            broker.control("set_disk_free_limit", "900GB")
            try:

                def spoken() -> bool:
                    if not speaking.blocked:
                        speaking.publish_unconfirmed("", "t.nowhere", b"")
                    return bool(speaking.blocked)

                await until(spoken)
                assert "disk" in speaking.blocked
                assert await silent.count_consumers(["t.need"]) == {"t.need": 0}
                assert silent.blocked == ""
            finally:
                broker.control("set_disk_free_limit", "50MB")
            await until(lambda: not speaking.blocked)
            await speaking.publish("", "t.need", b"x")
            await silent.delete_queue("t.need")

    asyncio.run(scenario())
