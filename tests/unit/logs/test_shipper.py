"""What the shipper does with answers that a server seldom gives: too much at a time, and then none at all."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from webfront.logs.engine import EngineAway, EngineError, Indigestible, Verdict
from webfront.logs.shipper import Shipper, _Item
from wire.broker import Delivery

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
    channel: Any = None
    return _Item(Delivery(body, None, False, {}, channel, number), f"r-{number}", in_doubt=False)


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
