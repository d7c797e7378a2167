"""Consumers: each fact at least once and in order, together with what it leads to; a failing one holds up no other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from webfront.activity import consumers
from webfront.activity.consumers import Consumer, begin, feed, pause
from webfront.activity.facts import Fact, Kind, NewFact, record_many
from webfront.activity.numbering import number
from webfront.activity.term import Deposed, Term
from webfront.database import models
from webfront.database.connection import transaction
from webfront.scheduling.leadership import Leadership


def happened(term: Term, *jobs: str, kind: Kind = Kind.JOB_END) -> None:
    with transaction():
        record_many(NewFact(kind, job=job) for job in jobs)
    number(term)


def cursor(name: str) -> models.Consumer:
    return models.Consumer.get(models.Consumer.name == name)


def test_a_new_consumer_begins_now_or_at_the_beginning(term: Term) -> None:
    happened(term, "old")
    had: dict[str, list[str]] = {"now": [], "history": []}

    def taking(name: str) -> Consumer:
        def handle(facts: Sequence[Fact]) -> None:
            had[name] += [fact.job for fact in facts]

        return Consumer(name, handle, from_the_beginning=name == "history")

    both = taking("now"), taking("history")
    for _ in range(2):  # the second time, as after a restart, changes nothing
        for consumer in both:
            begin(consumer, term)
    happened(term, "new", "newer")
    for consumer in both:
        while feed(consumer, term):
            pass
    assert had == {"now": ["new", "newer"], "history": ["old", "new", "newer"]}


def test_a_consumer_is_given_the_kinds_it_asked_for_and_moves_past_the_others(term: Term) -> None:
    had: list[Fact] = []
    consumer = Consumer("ends", had.extend, frozenset({Kind.JOB_END}), from_the_beginning=True)
    begin(consumer, term)
    happened(term, "A", kind=Kind.JOB_SUBMIT)
    happened(term, "A")
    assert [feed(consumer, term), feed(consumer, term), feed(consumer, term)] == [True, True, False]
    assert [(fact.kind, fact.job) for fact in had] == [("job.end", "A")]
    assert cursor("ends").batch == 2


def test_what_a_failing_consumer_wrote_is_undone_and_it_is_tried_again_ever_later(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = True
    now = 5000.0
    monkeypatch.setattr(term, "now", lambda: now)

    def handle(facts: Sequence[Fact]) -> None:
        models.Consumer.create(name=f"written for {facts[0].job}", batch=0)
        if fails:
            raise ValueError("cannot\nread it")

    consumer = Consumer("fragile", handle, from_the_beginning=True)
    begin(consumer, term)
    happened(term, "A")
    waits = []
    for _ in range(11):
        assert not feed(consumer, term)
        waits.append(pause(consumer, now))
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    row = cursor("fragile")
    assert (row.batch, row.failing_since, row.error, row.tries) == (0, 5000.0, "ValueError: cannot read it", 11)
    assert models.Consumer.select().count() == 1
    fails = False
    assert feed(consumer, term)
    row = cursor("fragile")
    assert (row.batch, row.failing_since, row.error, row.tries, pause(consumer, now)) == (1, None, "", 0, 0)
    assert models.Consumer.select().count() == 2


def test_what_is_carried_comes_again_until_it_went_well_and_outside_any_transaction(term: Term) -> None:
    had: list[list[str]] = []
    fails = True

    def carry(facts: Sequence[Fact]) -> None:
        assert not models.database.obj.in_transaction()
        had.append([fact.job for fact in facts])
        if fails:
            raise OSError("it does not answer")

    consumer = Consumer("carrier", carry=carry, from_the_beginning=True)
    begin(consumer, term)
    happened(term, "A", "B")
    happened(term, "C")
    assert [feed(consumer, term), feed(consumer, term)] == [False, False]
    assert (cursor("carrier").batch, cursor("carrier").error) == (0, "OSError: it does not answer")
    fails = False
    while feed(consumer, term):
        pass
    assert had == [["A", "B"], ["A", "B"], ["A", "B"], ["C"]]
    assert cursor("carrier").batch == 2


def test_a_clock_set_back_does_not_leave_a_consumer_alone_for_long(term: Term) -> None:
    consumer = Consumer("x", lambda facts: None)
    begin(consumer, term)
    models.Consumer.update(next_try_at=1e9).execute()
    assert pause(consumer, 1000.0) == consumers.LONGEST_PAUSE_S


def test_a_deposed_schedulers_consumer_changes_nothing(term: Term) -> None:
    consumer = Consumer("x", lambda facts: None, from_the_beginning=True)
    begin(consumer, term)
    happened(term, "A")
    Leadership("another").take_over(1001.0)
    with pytest.raises(Deposed):
        feed(consumer, term)
    assert (cursor("x").batch, cursor("x").tries) == (0, 0)


def test_where_nobody_waits_the_cursor_passes_over_what_is_numbered(term: Term) -> None:
    had: list[str] = []
    somebody = False

    def handle(facts: Sequence[Fact]) -> None:
        had.extend(fact.job for fact in facts)

    consumer = Consumer("ends", handle, wanted=lambda: somebody, from_the_beginning=True)
    begin(consumer, term)
    for job in ("A", "B", "C"):
        happened(term, job)
    assert [feed(consumer, term), feed(consumer, term)] == [True, False]
    assert cursor("ends").batch == 3
    somebody = True
    happened(term, "D")
    assert [feed(consumer, term), feed(consumer, term)] == [True, False]
    assert had == ["D"]


def test_what_is_numbered_while_it_is_asked_whether_anybody_waits_is_not_passed_over(term: Term) -> None:
    had: list[str] = []
    asked = 0

    def wanted() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            # Just then somebody comes, and something happens.
            record_many([NewFact(Kind.JOB_END, job="B")])
            models.Fact.update(batch=2).where(models.Fact.job == "B").execute()
        return asked > 1

    def handle(facts: Sequence[Fact]) -> None:
        had.extend(fact.job for fact in facts)

    consumer = Consumer("ends", handle, wanted=wanted, from_the_beginning=True)
    begin(consumer, term)
    happened(term, "A")
    while feed(consumer, term):
        pass
    assert had == ["B"]
