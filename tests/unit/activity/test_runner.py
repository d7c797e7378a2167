"""The threads of a term: what is slow or fails holds up nothing else, and all ends with the term."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from webfront.activity.chores import Chore
from webfront.activity.consumers import Consumer
from webfront.activity.facts import Fact, Kind, NewFact, record
from webfront.activity.runner import Runner
from webfront.activity.term import Term
from webfront.database import models
from webfront.database.connection import transaction
from webfront.scheduling.leadership import Leadership


def until(what: Callable[[], object], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def happened(job: str) -> None:
    with transaction():
        record(NewFact(Kind.JOB_END, job=job))


def test_a_slow_chore_and_a_failing_consumer_hold_up_nobody(term: Term) -> None:
    had: list[str] = []
    ticks: list[float] = []
    release = threading.Event()

    def broken(facts: Sequence[Fact]) -> None:
        raise ValueError("broken")

    def slow(term: Term) -> str:
        release.wait(20)
        return ""

    def tick(term: Term) -> str:
        ticks.append(time.monotonic())
        return ""

    runner = Runner(
        term,
        [Consumer("broken", broken), Consumer("well", lambda facts: had.extend(fact.job for fact in facts))],
        [Chore("slow", 0.1, slow), Chore("tick", 0.1, tick)],
    )
    runner.start()
    try:
        until(lambda: models.Consumer.select().count() == 2)
        for job in ("A", "B"):
            happened(job)
            until(lambda: had[-1:] == [job])  # noqa: B023
        until(lambda: len(ticks) > 5)
        until(lambda: models.Consumer.get(models.Consumer.name == "broken").tries >= 2)
        assert had == ["A", "B"]
    finally:
        release.set()
        runner.stop(5)
    assert not any(thread.is_alive() for thread in runner._threads)
    ended = len(ticks)
    happened("C")
    time.sleep(0.3)
    assert (len(ticks), had) == (ended, ["A", "B"])


def test_a_runner_ends_by_itself_when_another_scheduler_leads(term: Term) -> None:
    runner = Runner(term, [Consumer("x", lambda facts: None)], [])
    runner.start()
    until(lambda: models.Consumer.select().count() == 1)
    Leadership("another").take_over(1001.0)
    happened("A")
    until(lambda: not runner._threads[0].is_alive())
    assert models.Fact.get().batch is None
    runner.stop(5)
