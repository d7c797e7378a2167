"""Facts: written with their change or not at all, small, and read in the order in which they were numbered."""

from __future__ import annotations

import contextlib

import pytest

from webfront.activity.facts import Fact, Kind, NewFact, Outcome, record, record_many
from webfront.activity.numbering import last_batch, next_batch, number, read_batch
from webfront.activity.term import Deposed, Term
from webfront.database import models
from webfront.database.connection import transaction
from webfront.scheduling.leadership import Leadership


def happened(*jobs: str, at: float | None = None) -> None:
    with transaction():
        record_many(NewFact(Kind.JOB_SUBMIT, at, job=job) for job in jobs)


def test_a_fact_stands_exactly_when_its_change_does(database: object) -> None:
    with pytest.raises(RuntimeError, match="in the transaction of its change"):
        record(NewFact(Kind.NODE_STATE))
    with contextlib.suppress(KeyError), transaction():
        record(NewFact(Kind.NODE_STATE))
        raise KeyError
    assert models.Fact.select().count() == 0
    happened("A")
    assert models.Fact.get().kind == Kind.JOB_SUBMIT


def test_a_fact_reads_as_it_was_written_and_is_cut_where_it_is_long(term: Term) -> None:
    told = NewFact(
        Kind.ATTEMPT_END,
        12.5,
        Outcome.FAILURE,
        user="ada",
        controller="api.jobs",
        node="n" * 40,
        app="digits",
        job="J",
        attempt=2,
        play=7,
        data={"cause": "x" * 300, "lines": 3, "last": True},
    )
    with transaction():
        record(told)
    number(term)
    (found,) = read_batch(1, [Kind.ATTEMPT_END])
    data: dict[str, str | int | float | bool | None] = {"cause": "x" * 200, "lines": 3, "last": True}
    assert found == Fact(
        found.id, 12.5, "attempt.end", "failure", "ada", "api.jobs", "n" * 32, "digits", "J", 2, 7, data
    )


def test_batches_are_numbered_in_turn_and_never_grow(term: Term) -> None:
    assert (number(term), last_batch(), next_batch(0)) == (0, 0, None)
    happened("A", "B", "C")
    assert [number(term, largest=2), number(term, largest=2), number(term, largest=2)] == [2, 1, 0]
    happened("D")
    assert number(term) == 1
    assert [[fact.job for fact in read_batch(n, [Kind.JOB_SUBMIT])] for n in (1, 2, 3)] == [["A", "B"], ["C"], ["D"]]
    assert (last_batch(), next_batch(1), next_batch(3)) == (3, 2, None)
    assert read_batch(1, [Kind.JOB_END]) == []


def test_a_deposed_scheduler_numbers_nothing(term: Term) -> None:
    happened("A")
    Leadership("another").take_over(1001.0)
    with pytest.raises(Deposed):
        number(term)
    assert models.Fact.get().batch is None
