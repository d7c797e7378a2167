"""Chores: run when they are due, noted, tried again, and without effect once another scheduler leads."""

from __future__ import annotations

import pytest

from webfront.activity.chores import RETRY_S, Chore, due_in, run
from webfront.activity.term import Deposed, Term
from webfront.database import models
from webfront.scheduling.leadership import Leadership

HOUR = 3600.0


def noted(name: str = "tidy") -> models.Chore:
    return models.Chore.get(models.Chore.name == name)


def at(term: Term, now: float) -> None:
    term.now = lambda: now


def test_a_chore_is_due_at_its_pace_whoever_leads(term: Term) -> None:
    chore = Chore("tidy", HOUR, lambda term: "removed 3 things")
    at(term, 5000.0)
    assert due_in(chore, 5000.0) == 0
    assert run(chore, term) == HOUR
    row = noted()
    assert (row.last_at, row.told, row.error, row.next_at) == (5000.0, "removed 3 things", "", 5000.0 + HOUR)
    # A scheduler that takes over reads the same row; a clock that was set back is not waited for.
    assert (due_in(chore, 6000.0), due_in(chore, 9000.0), due_in(chore, 0.0)) == (2600.0, 0.0, HOUR)


def test_a_failing_chore_is_tried_again_soon_and_told(term: Term) -> None:
    fails = True

    def tidy(term: Term) -> str:
        if fails:
            raise OSError("the share is gone")
        return ""

    chore = Chore("tidy", HOUR, tidy)
    for now in (5000.0, 5060.0):
        at(term, now)
        assert run(chore, term) == RETRY_S
    row = noted()
    assert (row.error, row.failing_since, row.next_at) == ("OSError: the share is gone", 5000.0, 5120.0)
    fails = False
    at(term, 5120.0)
    assert run(chore, term) == HOUR
    assert (noted().error, noted().failing_since) == ("", None)


def test_a_chore_of_each_second_is_noted_once_a_minute_and_when_it_fails(term: Term) -> None:
    error = ""

    def tick(term: Term) -> str:
        if error:
            raise OSError(error)
        return ""

    chore = Chore("tidy", 1.0, tick)
    seen = []
    for now, error in ((5000.0, ""), (5030.0, ""), (5061.0, ""), (5062.0, "off"), (5063.0, "off"), (5064.0, "")):  # noqa: B007
        at(term, now)
        assert run(chore, term) == 1.0
        seen.append((noted().last_at, noted().error))
    told = "OSError: off"
    assert seen == [(5000.0, ""), (5000.0, ""), (5061.0, ""), (5062.0, told), (5062.0, told), (5064.0, "")]


def test_a_deposed_schedulers_chore_changes_nothing(term: Term) -> None:
    def tidy(term: Term) -> str:
        with term.transaction():
            models.SignInFailure.create(user_name="before", client="", at=0)
        Leadership("another").take_over(1001.0)
        with term.transaction():
            models.SignInFailure.create(user_name="after", client="", at=0)
        return "done"

    with pytest.raises(Deposed):
        run(Chore("tidy", HOUR, tidy), term)
    assert [row.user_name for row in models.SignInFailure.select()] == ["before"]
    assert models.Chore.select().count() == 0


def test_a_term_that_this_process_knows_to_be_over_allows_nothing(term: Term) -> None:
    term.end()
    with pytest.raises(Deposed), term.transaction():
        pass
