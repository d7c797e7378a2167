"""Log records go to the broker at once where little is logged, many a message where much is, and in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wire import logs
from wire.broker import BrokerLost
from wire.logs import AGAIN, LogShipper, count_of, lines_of


class Answering:
    """In the broker's place: it keeps what it is sent, and answers when a test says so."""

    def __init__(self) -> None:
        self.connected, self.connects = True, 1
        self.sent: list[tuple[bytes, bool]] = []
        self._open: list[asyncio.Future[None]] = []

    def publish(self, _: str, __: str, body: bytes, *, headers: dict[str, Any] | None) -> asyncio.Future[None]:
        self.sent.append((body, bool(headers and headers[AGAIN])))
        self._open.append(asyncio.get_running_loop().create_future())
        return self._open[-1]

    async def confirm(self, messages: int | None = None) -> None:
        told, self._open = self._open[:messages], self._open[len(self._open[:messages]) :]
        for future in told:
            future.set_result(None)
        await settled()

    async def breaks(self) -> None:
        self.connected = False
        told, self._open = self._open, []
        for future in told:
            future.set_exception(BrokerLost("gone"))
        await settled()

    async def returns(self, shipper: LogShipper) -> None:
        self.connected, self.connects = True, self.connects + 1
        shipper.flush_waiting()
        await settled()

    def records(self) -> list[list[str]]:
        return [[line.decode() for line in lines_of(body)] for body, _ in self.sent]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def log(shipper: LogShipper, *messages: object) -> None:
    for message in messages:
        shipper.emit(logging.LogRecord("x", logging.INFO, __file__, 1, str(message), None, None))


Test = Callable[[LogShipper, Answering], Coroutine[Any, Any, None]]


def on_a_loop(test: Test) -> Callable[[], None]:
    def run() -> None:
        async def within() -> None:
            broker: Any = Answering()
            shipper = LogShipper(broker, asyncio.get_running_loop())
            shipper.flush_waiting()
            await test(shipper, broker)

        asyncio.run(within())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"{}", [b"{}"]), (b"{}\n", [b"{}"]), (b"{}\n[]\n", [b"{}", b"[]"]), (b"{}\n[]", [b"{}", b"[]"]), (b"", [b""]),
        (b"\n", [b""]), (b"a\n\nb\n", [b"a", b"", b"b"]),
    ],
)  # fmt: skip
def test_the_end_of_a_message_is_the_end_of_a_line(body: bytes, lines: list[bytes]) -> None:
    assert lines_of(body) == lines
    assert count_of(body) == len(lines)


@on_a_loop
async def test_a_record_goes_at_once_while_nothing_is_under_way(shipper: LogShipper, broker: Answering) -> None:
    for number in range(3):
        log(shipper, number)
        await settled()
        assert broker.sent[number:] == [(b"%d\n" % number, False)]
        await broker.confirm()
    assert shipper.unsettled == 0


@on_a_loop
async def test_what_is_logged_meanwhile_goes_together(shipper: LogShipper, broker: Answering) -> None:
    log(shipper, 0)
    await settled()
    log(shipper, 1, 2)
    await settled()
    log(shipper, 3)
    await settled()
    assert broker.records() == [["0"]]
    await broker.confirm()
    assert broker.records() == [["0"], ["1", "2", "3"]]
    assert broker.sent[1][0] == b"1\n2\n3\n"


@on_a_loop
async def test_what_fills_a_message_does_not_wait(shipper: LogShipper, broker: Answering) -> None:
    log(shipper, "first")
    await settled()
    log(shipper, *range(49))
    await settled()
    assert len(broker.sent) == 1
    log(shipper, 49, 50)
    await settled()
    assert [len(message) for message in broker.records()] == [1, 50]
    await broker.confirm()
    assert broker.records()[2] == ["50"]


@on_a_loop
async def test_a_message_is_bounded_and_a_long_record_goes_alone(shipper: LogShipper, broker: Answering) -> None:
    log(shipper, *(["x" * 10_000] * 4), "y" * 50_000, "z")
    await settled()
    await broker.confirm()
    await broker.confirm()
    await broker.confirm()
    sizes = [[len(line) for line in message] for message in broker.records()]
    assert sizes == [[10_000] * 3, [10_000], [50_000], [1]]


@on_a_loop
async def test_no_more_than_a_thousand_are_under_way(shipper: LogShipper, broker: Answering) -> None:
    log(shipper, *range(2000))
    await settled()
    assert sum(map(len, broker.records())) == 1000
    await broker.confirm(1)
    assert sum(map(len, broker.records())) == 1050


@on_a_loop
async def test_what_was_under_way_is_sent_again_marked_and_before_the_rest(
    shipper: LogShipper, broker: Answering
) -> None:
    log(shipper, *range(120))
    await settled()
    assert [len(message) for message in broker.records()] == [50, 50]
    sent = list(broker.sent)
    await broker.breaks()
    log(shipper, 120)
    await settled()
    assert broker.sent == sent
    assert shipper.unsettled == 121
    # It breaks once more before anything is confirmed.
    await broker.returns(shipper)
    await broker.breaks()
    await broker.returns(shipper)
    assert broker.sent[2:] == [(body, True) for body, _ in sent] * 2
    await broker.confirm()
    assert broker.records()[-1] == [str(number) for number in range(100, 121)]
    assert not broker.sent[-1][1]
    await broker.confirm()
    assert shipper.unsettled == 0


@on_a_loop
async def test_the_bound_is_in_records(shipper: LogShipper, broker: Answering) -> None:
    log(shipper, 0)
    await settled()
    await broker.breaks()
    log(shipper, *range(1, logs._KEPT_RECORDS + 11))
    assert shipper.unsettled == logs._KEPT_RECORDS + 1
    assert shipper._dropped == 10
    await broker.returns(shipper)
    while shipper.unsettled:
        await broker.confirm()
    found = [line for message in broker.records()[1:] for line in message]
    assert found == ["0", *(str(number) for number in range(11, logs._KEPT_RECORDS + 11))]


@on_a_loop
async def test_a_process_that_ends_sends_what_it_had_gathered(shipper: LogShipper, broker: Answering) -> None:
    log(shipper, 0)
    await settled()
    log(shipper, 1, 2)
    await settled()
    shipper.finish()
    assert broker.records() == [["0"], ["1", "2"]]
    log(shipper, 3)
    await settled()
    assert broker.records()[2:] == [["3"]]
