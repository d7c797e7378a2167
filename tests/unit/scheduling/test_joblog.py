"""Each line of a log once, however its pieces come; and what a node did not keep is told as that."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion, Attempt, Job, LogChunk, User
from webfront.jobs.logs import printed_lines, read_log
from webfront.jobs.views import LogView
from webfront.scheduling.joblog import Coverage, Span, add, missing
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.versions import Versions
from wire.messages import LogLines


def test_only_what_is_missing_is_taken() -> None:
    spans: list[Span] = [(3, 5), (8, 8)]
    assert missing(spans, (1, 10)) == [(1, 2), (6, 7), (9, 10)]
    assert missing(spans, (4, 5)) == []
    assert missing(spans, (5, 6)) == [(6, 6)]
    assert missing([], (2, 4)) == [(2, 4)]
    assert missing(spans, (9, 9)) == [(9, 9)]


def test_spans_join_when_they_touch() -> None:
    spans: list[Span] = [(3, 5), (8, 8)]
    add(spans, (6, 7))
    assert spans == [(3, 8)]
    add(spans, (1, 1))
    assert spans == [(1, 1), (3, 8)]
    add(spans, (10, 9))
    assert spans == [(1, 1), (3, 8)]


def test_any_pieces_in_any_order_give_every_line_once() -> None:
    chance = random.Random(7)
    for _ in range(300):
        spans: list[Span] = []
        seen: set[int] = set()
        for _ in range(20):
            first = chance.randint(1, 40)
            span = (first, first + chance.randint(0, 12))
            fresh = [n for begin, end in missing(spans, span) for n in range(begin, end + 1)]
            assert len(fresh) == len(set(fresh))
            assert set(fresh) == set(range(span[0], span[1] + 1)) - seen
            add(spans, span)
            seen.update(fresh)
            assert spans == sorted(spans)
            assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(spans))


class Log:
    """One attempt's log in the database, as a scheduler writes it and a page reads it."""

    def __init__(self, share: Path) -> None:
        self.share = share
        user = User.create(name="ada", password_hash="-", created_at=0)
        app = App.create(name="app", owner=user, created_at=0)
        version = AppVersion.create(app=app, hash="a" * 64, manifest={"name": "app"}, size=1, uploaded_at=0)
        self.job = Job.create(
            id="job", app_version=version, user=user, state="running", attempts=1, submitted_at=0, force_insert=True
        )
        self.attempt = Attempt.create(job=self.job, number=1, node="n", state="running", placement={}, placed_at=0)
        self.coverage = Coverage()

    def say(self, *said: LogLines) -> None:
        """In one transaction, by a scheduler that may be another than the one before."""
        ledger = Ledger(Versions())
        with transaction():
            self.coverage.load([self.attempt.id])
            for one in said:
                ledger.add_lines(self.attempt.id, one, 100.0, self.coverage)
            ledger.flush()

    def read(self, after: int = 0, limit: int = 1000) -> LogView:
        return read_log(self.share, self.job, after=after, attempt=1, limit=limit, now=100.0)


@pytest.fixture
def log(database: object, tmp_path: Path) -> Log:
    return Log(tmp_path)


def lines(first: int, last: int, dropped: int = 0, anew: bool = False) -> LogLines:
    return LogLines("job", 1, 0, first, tuple(f"line {n}" for n in range(first, last + 1)), dropped, anew)


def numbers(view: LogView) -> list[int]:
    assert all(line.text == f"line {line.number}" for line in view.lines)
    return [line.number for line in view.lines]


def test_what_was_dropped_is_a_gap_for_which_nobody_waits(log: Log) -> None:
    log.say(lines(1, 3, dropped=6), lines(10, 12))
    view = log.read()
    assert (numbers(view), view.gaps, view.next) == ([1, 2, 3, 10, 11, 12], ((4, 9),), 12)
    for after in (3, 5, 8):
        view = log.read(after)
        assert (numbers(view), view.gaps, view.next) == ([10, 11, 12], ((after + 1, 9),), 12)
    assert log.read(9).gaps == ()
    view = log.read(limit=3)
    assert (numbers(view), view.gaps, view.next) == ([1, 2, 3], ((4, 9),), 9)
    assert [line.number for line in printed_lines(log.share, "job", 1)] == [1, 2, 3, 10, 11, 12]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("forgets", [True, False])
def test_glimpses_give_way_to_what_is_kept(log: Log, at_once: bool, forgets: bool) -> None:
    told = (
        lines(1, 3),
        lines(4, 4, dropped=5, anew=True),
        lines(10, 12),
        lines(13, 13, dropped=6),
        lines(20, 21),
        lines(4, 4, dropped=95, anew=True),
        lines(100, 103),
    )
    last = (lines(4, 4, dropped=4995, anew=True), lines(5000, 5002), lines(5003, 5004))
    for batch in (told, last) if at_once else ((one,) for one in told + last):
        log.say(*batch)
        if forgets:
            log.coverage.forget_all()
    for again in (told + last, last, last[1:]):
        view = log.read()
        assert (numbers(view), view.gaps) == ([1, 2, 3, 4, *range(5000, 5005)], ((5, 4999),))
        assert LogChunk.select().count() == 4
        log.say(*again)  # a second copy changes nothing
    view = log.read()
    assert numbers(view) == [1, 2, 3, 4, *range(5000, 5005)]


def test_a_number_that_no_table_holds_ends_what_was_dropped(log: Log) -> None:
    log.say(lines(1, 1, dropped=2**40))
    assert log.read().gaps == ((2, 2**31 - 2),)
