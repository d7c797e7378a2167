"""The consuming loop on a real RabbitMQ, with a list of what was applied in the place of a database."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from support.rabbitmq import PrivateRabbit

from webfront.broker.consuming import Consumer, Item, Source
from wire.broker import Broker, BrokerAddress, BrokerLost, Delivery


class Trouble(Exception):
    """The surroundings' fault."""


class Consuming:
    """A consumer of two queues, and what it applied: batches of texts. `fault` may raise for a batch."""

    def __init__(self, rabbit: PrivateRabbit, **more: Any) -> None:
        self.fault: Callable[[Sequence[str]], object] = lambda _: None
        self.troubles: list[Exception] = []
        self.tried: list[list[str]] = []
        self.applied: list[list[str]] = []
        self.followed: list[list[str]] = []
        self.again: list[str] = []
        self.sources = [Source(f"t.{secrets.token_hex(4)}", 1000) for _ in range(2)]
        self.broker = Broker(
            BrokerAddress.read(rabbit.url, rabbit.password_file),
            name="test",
            on_connected=self._begin,
            on_lost=lambda: self.consumer.lost(),
        )
        self.consumer = Consumer(
            self.broker,
            self.sources,
            read=self._read,
            apply=self._apply,
            trouble=(Trouble,),
            on_trouble=self.troubles.append,
            **more,
        )
        self._rabbit = rabbit
        self._holding = True

    async def _begin(self) -> None:
        holding = self._holding
        for source in self.sources:
            await self.broker.declare_queue(source.queue, arguments={"x-queue-type": "quorum"})
        if not holding:
            await self.consumer.begin()

    def _read(self, _: Source, delivery: Delivery) -> str:
        if delivery.redelivered:
            self.again.append(delivery.body.decode())
        return delivery.body.decode()

    def _apply(self, items: Sequence[Item[str]], alone: bool) -> Callable[[], None]:
        texts = [item.content for item in items]
        assert not alone or len(texts) == 1
        self.tried.append(texts)
        self.fault(texts)
        self.applied.append(texts)
        return lambda: self.followed.append(texts)

    def all(self) -> list[str]:
        """Everything applied, in order."""
        return [text for batch in self.applied for text in batch]

    @contextlib.asynccontextmanager
    async def working(self, *texts: str, other: Sequence[str] = ()) -> AsyncIterator[None]:
        """With these messages in the first queue, and `other` in the second, before it begins."""
        running = asyncio.create_task(self.broker.run())
        try:
            await until(lambda: self.broker.connected)
            for source in self.sources:
                await self.broker.declare_queue(source.queue, arguments={"x-queue-type": "quorum"})
            await self.say(*texts)
            await self.say(*other, queue=1)
            self._holding = False
            await self.consumer.begin()
            yield
        finally:
            await self.broker.stop()
            await running

    async def say(self, *texts: str, queue: int = 0) -> None:
        name = self.sources[queue].queue
        await asyncio.gather(*(self.broker.publish("", name, text.encode()) for text in texts))

    async def left(self) -> list[str]:
        """What the queues still hold, now that the consumer's connection is gone. Removes them."""
        found: list[str] = []
        link = Broker(BrokerAddress.read(self._rabbit.url, self._rabbit.password_file), name="test")
        running = asyncio.create_task(link.run())
        await until(lambda: link.connected)
        for source in self.sources:
            await link.consume(source.queue, lambda delivery: found.append(delivery.body.decode()), prefetch=1000)
        await asyncio.sleep(0.5)
        await link.stop()
        await running
        for source in self.sources:
            self._rabbit.api(f"/api/queues/%2F/{source.queue}", "DELETE")
        return found


async def until(condition: Callable[[], object], timeout: float = 30) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


NUMBERS = [str(number) for number in range(40)]


def test_a_poisonous_message_is_let_go_and_all_others_are_applied_once(
    broker: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        consuming = Consuming(broker)

        def fault(texts: Sequence[str]) -> None:
            if "poison" in texts:
                raise ValueError("this one")

        consuming.fault = fault
        async with consuming.working(*NUMBERS[:20], "poison", *NUMBERS[20:], other=["a", "poison", "b"]):
            await until(lambda: len(consuming.all()) == 42)
            # Well again: what comes together is applied together.
            async with asyncio.timeout(30):
                while max(map(len, consuming.applied[-5:])) < 5:
                    await consuming.say(*["more"] * 10)
        applied = [text for text in consuming.all() if text != "more"]
        assert [text for text in applied if text.isdigit()] == NUMBERS
        assert [text for text in applied if not text.isdigit()] == ["a", "b"]
        assert [text for batch in consuming.followed for text in batch] == consuming.all()
        assert await consuming.left() == []
        assert caplog.text.count("cannot be applied: this one") == 2

    asyncio.run(scenario())


def test_in_trouble_nothing_is_acknowledged_and_the_same_is_tried_again_after_growing_pauses(
    broker: PrivateRabbit,
) -> None:
    async def scenario() -> None:
        consuming = Consuming(broker)
        times: list[float] = []

        def fault(texts: Sequence[str]) -> None:
            if texts and len(times) < 4:
                times.append(asyncio.get_running_loop().time())
                raise Trouble

        consuming.fault = fault
        async with consuming.working(*NUMBERS):
            await until(lambda: len(consuming.all()) == len(NUMBERS))
        assert consuming.all() == NUMBERS
        assert len(consuming.troubles) == 4
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True)), pauses
        failed = [batch for batch in consuming.tried if batch not in consuming.applied]
        assert all(batch == NUMBERS[: len(batch)] for batch in failed)
        assert (await consuming.left(), consuming.again) == ([], [])

        stuck = Consuming(broker)

        def stay(_: Sequence[str]) -> None:
            raise Trouble

        stuck.fault = stay
        async with stuck.working(*NUMBERS):
            await until(lambda: len(stuck.troubles) == 3)
        assert stuck.applied == []
        assert await stuck.left() == NUMBERS

    asyncio.run(scenario())


def test_a_broken_connection_forgets_what_it_can_no_longer_acknowledge(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        consuming = Consuming(broker)
        broken = False

        def fault(texts: Sequence[str]) -> None:
            if texts and not broken:
                raise Trouble

        consuming.fault = fault
        async with consuming.working(*NUMBERS):
            await until(lambda: NUMBERS in consuming.tried)
            with pytest.raises(BrokerLost):
                await consuming.broker.publish("t.no such exchange", "", b"x")
            assert not consuming.consumer.working
            broken = True
            await until(lambda: len(consuming.all()) >= len(NUMBERS))
            await consuming.say("after")
            await until(lambda: consuming.all()[-1:] == ["after"])
        # Once each, though each was here twice: as it came first, and as it came again.
        assert consuming.all() == [*NUMBERS, "after"]
        assert consuming.again == NUMBERS
        assert await consuming.left() == []

    asyncio.run(scenario())


def test_a_batch_is_bounded_for_each_queue_and_keeps_its_order(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        consuming = Consuming(broker, batch=7)
        letters = [f"letter {number}" for number in range(40)]
        async with consuming.working(*NUMBERS, other=letters):
            await until(lambda: len(consuming.all()) == 80)
        for kind in (NUMBERS, letters):
            shares = [[text for text in batch if text in kind] for batch in consuming.applied]
            assert [text for share in shares for text in share] == kind
            assert max(map(len, shares)) == 7
        assert await consuming.left() == []

    asyncio.run(scenario())


def test_a_lone_message_is_applied_at_once_and_only_a_busy_consumer_gathers(broker: PrivateRabbit) -> None:
    async def scenario() -> None:
        busy = False
        consuming = Consuming(broker, gather_s=3.0, may_gather=lambda: busy)
        async with consuming.working():
            clock = asyncio.get_running_loop().time
            for text in ("first", "second", "third"):
                began = clock()
                await consuming.say(text)
                await until(lambda: consuming.all()[-1:] == [text])  # noqa: B023
                assert clock() - began < 2.0
            busy = True
            began = clock()
            for text in NUMBERS:
                await consuming.say(text)
            await until(lambda: consuming.all()[-1:] == NUMBERS[-1:])
            assert clock() - began > 2.0
            assert consuming.applied[-1] == NUMBERS
            # So long after the last batch, there is no reason to wait although it may.
            await asyncio.sleep(3.1)
            began = clock()
            await consuming.say("lone")
            await until(lambda: consuming.all()[-1:] == ["lone"])
            assert clock() - began < 2.0
        assert await consuming.left() == []

    asyncio.run(scenario())


def test_who_stops_while_applying_leaves_everything_with_the_broker(
    broker: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        consuming = Consuming(broker)

        def fault(texts: Sequence[str]) -> None:
            if texts:
                consuming.consumer.stop()
                raise RuntimeError("another has taken over")

        consuming.fault = fault
        async with consuming.working(*NUMBERS):
            await until(lambda: any(consuming.tried))
            await consuming.say("late")
            await asyncio.sleep(0.5)
            assert len([batch for batch in consuming.tried if batch]) == 1
        assert consuming.all() == []
        assert "another has taken over" not in caplog.text  # who stops says why
        assert await consuming.left() == [*NUMBERS, "late"]

    asyncio.run(scenario())


def test_who_is_stopped_before_it_begins_takes_nothing(broker: PrivateRabbit) -> None:
    """A scheduler on standby that is told to end in the moment when the leadership comes to it."""

    async def scenario() -> None:
        consuming = Consuming(broker)
        consuming.consumer.stop()
        async with consuming.working(*NUMBERS):
            await asyncio.sleep(0.5)
        assert consuming.tried == []
        assert await consuming.left() == NUMBERS

    asyncio.run(scenario())
