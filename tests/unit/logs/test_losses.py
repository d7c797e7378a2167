"""Records that did not arrive are counted exactly, whatever comes twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from webfront.broker.consuming import Item, Source
from webfront.database.models import LogLoss, RefusedRecord
from webfront.logs import aside
from webfront.logs.aside import Refused, set_aside
from webfront.logs.losses import Losses, _Lost, _read
from wire import topology

pytestmark = pytest.mark.usefixtures("database")
SOURCE = Source(topology.LOST_LOGS, 300)


def items(*bodies: bytes) -> list[Item[_Lost]]:
    found = []
    for body in bodies:
        delivery: Any = SimpleNamespace(body=body)
        found.append(Item(SOURCE, delivery, _read(SOURCE, delivery)))
    return found


@pytest.fixture
def losses() -> Losses:
    broker: Any = None
    return Losses(broker, lambda _: None, clock=lambda: 1000.0)


def test_each_lost_record_counts_once_though_its_batch_comes_again(losses: Losses) -> None:
    first = items(b"a", b"b", b"c")
    losses._count(first, False)()
    # The process died before it acknowledged: they come again, in other batches.
    losses._count(first[:2], False)()
    losses._count([*first[2:], *items(b"d")], False)()
    assert LogLoss.get().lost == 4
    losses._count(items(b"e"), False)()
    losses._count([], False)()
    assert (LogLoss.get().lost, LogLoss.get().lost_at) == (5, 1000.0)


def test_a_message_counts_for_the_records_it_holds(losses: Losses) -> None:
    first = items(b"a", b"b\n", b"c\nd\n", b"e\nf\ng")
    losses._count(first, False)()
    assert LogLoss.get().lost == 7
    losses._count(first[2:], False)()
    losses._count([*first[3:], *items(b"h\ni\n")], False)()
    assert LogLoss.get().lost == 9


def test_there_is_one_row_whoever_counts_first() -> None:
    first = aside.loss_row()
    assert (first.lost, first.last_lost, first.refused) == (0, [], 0)
    LogLoss.update(lost=3).execute()
    assert aside.loss_row().lost == 3
    assert LogLoss.select().count() == 1


def test_what_is_set_aside_counts_once_and_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "KEPT", 3)
    poison = [Refused("", "it is not JSON", b"{\xff"), Refused("a-1", "no number", b'{"event.id": "a-1"}')]
    assert set_aside(poison, lambda: 1.0) == 2
    assert set_aside(poison, lambda: 2.0) == 0
    assert set_aside([Refused(f"b-{number}", "x" * 900, b"{}") for number in range(3)], lambda: 3.0) == 3
    kept = list(RefusedRecord.select().order_by(RefusedRecord.id))
    assert [row.name for row in kept] == ["b-0", "b-1", "b-2"]
    assert len(kept[0].reason) == 500
    assert (LogLoss.get().refused, LogLoss.get().refused_at) == (5, 3.0)
