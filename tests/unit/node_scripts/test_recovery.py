"""After a start the runner is asked in an order in which clearing up can hit nothing that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from node_scripts.journal import JournalledAttempt
from node_scripts.recovery import find_all
from node_scripts.running.interface import Prepared, Recovered, Refused, RunningAttempt
from wire.messages import AppRef, Cause, Finished, Order


class AskedRunner:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def prepare(self, order: Order, slot: int, preparing: Callable[[str], None]) -> Prepared:
        raise NotImplementedError

    async def launch(self, prepared: Prepared) -> RunningAttempt:
        raise NotImplementedError

    def recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        self.asked.append(order.job)
        if order.job == "unreadable":
            raise PermissionError("no")
        return Recovered.NOT_LAUNCHED

    def clear(self, held: Iterable[Order]) -> None:
        raise NotImplementedError

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        raise NotImplementedError

    def tidy(self) -> None:
        raise NotImplementedError

    def forget(self, order: Order) -> None:
        raise NotImplementedError


def held(job: str, slot: int | None, *, ended: bool = False) -> JournalledAttempt:
    order = Order(job=job, attempt=1, app=AppRef(name="test", version="0" * 64))
    return JournalledAttempt(order, 1.0, slot, None, 0, Finished(job, 1, 2.0, Cause.OK) if ended else None)


def test_what_had_started_and_left_nothing_is_lost() -> None:
    record = JournalledAttempt(held("gone", 0).order, 1.0, 0, 1.5, 0, None)
    ((_, found),) = find_all(AskedRunner(), [record])
    assert found is Recovered.LOST


def test_running_before_ended_and_newest_first() -> None:
    runner = AskedRunner()
    records = [
        held("ended", 0, ended=True),
        held("older", 0),
        held("unreadable", 1),
        held("newer", 0),
        held("new", None),
    ]
    found = find_all(runner, records)
    assert runner.asked == ["newer", "unreadable", "older", "ended"]
    assert [record.order.job for record, _ in found] == ["ended", "older", "unreadable", "newer", "new"]
    assert found[2][1] is Recovered.LOST
    assert found[4][1] is Recovered.NOT_LAUNCHED
