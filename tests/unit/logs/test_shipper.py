"""What the shipper takes of what comes, and what it does with answers that a server seldom gives."""

from __future__ import annotations

import asyncio
import collections
import itertools
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from webfront.logs.engine import EngineAway, EngineError, Indigestible, Verdict
from webfront.logs.records import LONGEST
from webfront.logs.shipper import Shipper, _Item
from wire.broker import Delivery
from wire.logs import AGAIN

pytestmark = pytest.mark.usefixtures("database")


class Server:
    """Takes three records at a time; each request may fail, before or after it is carried out."""

    def __init__(self, fate: Callable[[int], str]) -> None:
        self.indices: list[set[str]] = [set()]
        self._fate = fate
        self._requests = itertools.count()

    def roll_over(self) -> None:
        self.indices.append(set())

    def write(self, records: list[tuple[str, bytes]]) -> list[tuple[Verdict, str]]:
        if len(records) > 3 or (len(records) > 1 and any(body == b"bad" for _, body in records)):
            raise Indigestible("too much")
        if records[0][1] == b"bad":
            raise Indigestible("bad")
        fate = self._fate(next(self._requests))
        if fate == "refused":
            raise EngineAway("429", in_doubt=False)
        verdicts = []
        for name, _ in records:
            verdicts.append((Verdict.THERE if name in self.indices[-1] else Verdict.WRITTEN, ""))
            self.indices[-1].add(name)
        if fate == "no answer":
            raise EngineAway("timeout", in_doubt=True)
        return verdicts

    def find(self, names: list[str]) -> set[str]:
        return set(names) & set().union(*self.indices)


def item(number: int, body: bytes = b"{}") -> _Item:
    return _Item(body, False, f"r-{number}")


def delivery(body: bytes, number: int = 1, *, redelivered: bool = False, again: bool = False) -> Delivery:
    channel: Any = None
    return Delivery(body, None, redelivered, {AGAIN: True} if again else {}, channel, number)


def line(number: int) -> bytes:
    return b'{"event.id":"r-%d"}' % number


@pytest.fixture
def shipper() -> Any:
    found: Any = SimpleNamespace(_waiting=collections.deque(), _stood_before=0, _wake=asyncio.Event())
    found.receive = lambda one: Shipper._receive(found, one)
    found.take = lambda: Shipper._take(found)
    return found


def test_messages_of_one_record_and_of_several_are_taken_whole_and_in_order(shipper: Any) -> None:
    for body in (line(0), line(1) + b"\n", line(2) + b"\n" + line(3) + b"\n", line(4) + b"\n" + line(5)):
        shipper.receive(delivery(body))
    batch, _ = shipper.take()
    assert [(one.name, one.body) for one in batch] == [(f"r-{number}", line(number)) for number in range(6)]
    assert not shipper._waiting


def test_a_batch_ends_with_a_message(shipper: Any) -> None:
    """Since a message can only be acknowledged whole."""
    for number in range(30):
        shipper.receive(delivery(b"".join(line(number * 70 + one) + b"\n" for one in range(70)), number))
    sizes = []
    while shipper._waiting:
        batch, last = shipper.take()
        sizes.append((len(batch), last._tag))
    assert sizes == [(1050, 14), (1050, 29)]


def test_one_line_that_is_no_record_leaves_the_others_of_its_message(shipper: Any) -> None:
    shipper.receive(delivery(b"\n".join([line(0), b"not JSON", b"", line(1), line(2) + b"\r", line(3), b""])))
    batch, _ = shipper.take()
    assert [one.name for one in batch if not one.poison] == ["r-0", "r-1", "r-3"]
    assert len([one for one in batch if one.poison]) == 3


def test_all_records_of_a_message_that_may_have_come_before_are_in_doubt(shipper: Any) -> None:
    two = line(0) + b"\n" + line(1) + b"\n"
    shipper._stood_before = 1
    for one in (delivery(two), delivery(two), delivery(two, redelivered=True), delivery(two, again=True)):
        shipper.receive(one)
    batch, _ = shipper.take()
    assert [one.in_doubt for one in batch] == [True, True, False, False, True, True, True, True]


def test_a_message_that_is_too_long_is_not_held(shipper: Any) -> None:
    for end in (b"a", b"b"):
        shipper.receive(delivery(line(0) + b"\n" + b"x" * LONGEST + end))
    assert [len(message.delivery.body) for message in shipper._waiting] == [0, 0]
    batch, _ = shipper.take()
    assert len({one.name for one in batch}) == 2, "they are told apart by all of what they held"
    assert all("more than" in one.poison and len(one.body) == 16_000 for one in batch)


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("fate", ["refused", "no answer"])
def test_each_is_there_once_though_a_part_was_taken_and_the_stream_rolled_over(at: int, fate: str) -> None:
    server = Server(lambda number: fate if number == at else "")
    shipper: Any = SimpleNamespace(_engine=server)
    shipper._write = lambda items: Shipper._write(shipper, items)
    batch = [item(number, b"bad" if number == 7 else b"{}") for number in range(10)]
    failures = 0
    while unsettled := [one for one in batch if not one.settled]:
        try:
            Shipper._try(shipper, unsettled)
        except EngineError:
            failures += 1
            server.roll_over()
    found = Counter(name for index in server.indices for name in index)
    assert found == Counter(f"r-{number}" for number in range(10) if number != 7)
    assert batch[7].poison == "bad"
    assert failures <= 1
