"""Logs of jobs that have ended take fewer rows, and say the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.deaths import dies_at
from support.ended import ended_job

from webfront.accounts.views import Account
from webfront.activity.numbering import last_batch, number
from webfront.activity.term import Term
from webfront.database.models import AppVersion, Attempt, Consumer, Job, LogChunk
from webfront.jobs import chunks
from webfront.jobs.chunks import join_chunks
from webfront.jobs.logs import read_log
from wire.messages import Cause

SAID = [[f"line {number} of an epoch", "\tloss=0.123 \N{SNOWMAN}"] for number in range(60)]


@pytest.fixture
def logged(share: Path, version: AppVersion, bob: Account, term: Term) -> Callable[..., str]:
    """A job whose log came in many chunks."""

    def make(said: list[list[str]] = SAID, *, told: bool = True) -> str:
        causes = (Cause.NODE_LOST, Cause.OK)
        job = ended_job(share, version, bob.id, time.time() - 60, causes=causes, said=said)
        if told:
            number(term)
        return job

    return make


def lines(job: str) -> list[tuple[int, str, tuple[tuple[int, int], ...]]]:
    """Each line as it is read, a few at a time, with the gaps."""
    found, after = [], 0
    while True:
        view = read_log(Job.get_by_id(job), after=after, attempt=None, limit=7, now=time.time())
        found += [(line.number, line.text, view.gaps) for line in view.lines]
        if view.complete or view.next <= after:
            return found
        after = view.next


def test_chunks_are_joined_and_every_line_stays(term: Term, logged: Callable[..., str]) -> None:
    job = logged()
    before = lines(job)
    assert join_chunks(term, consumers=()) == "joined 120 chunks of logs"
    assert lines(job) == before
    assert [(row.first, row.count) for row in LogChunk.select()] == [(1, 120), (1, 120)]
    assert join_chunks(term, consumers=()) == ""


def test_a_gap_stays_a_gap_and_an_overlap_an_overlap(term: Term, logged: Callable[..., str]) -> None:
    job = logged()
    newest = Attempt.get(Attempt.job == job, Attempt.number == 2)
    LogChunk.delete().where(LogChunk.attempt == newest, LogChunk.first == 41).execute()
    LogChunk.create(attempt=newest, first=60, count=2, at=0, text="again\nagain")
    before = lines(job)
    join_chunks(term, consumers=())
    assert lines(job) == before
    rows = LogChunk.select().where(LogChunk.attempt == newest).order_by(LogChunk.first)
    assert [(row.first, row.count) for row in rows] == [(1, 40), (43, 18), (60, 2), (61, 60)]


def test_a_chunk_does_not_grow_past_its_bound(term: Term, logged: Callable[..., str]) -> None:
    job = logged([["x" * 20_000] for _ in range(8)])
    before = lines(job)
    join_chunks(term, consumers=())
    assert lines(job) == before
    assert {row.count for row in LogChunk.select()} == {3, 2}
    assert all(len(row.text) <= chunks.LARGEST for row in LogChunk.select())


def test_it_waits_for_who_carries_the_lines_elsewhere_and_for_the_end(term: Term, logged: Callable[..., str]) -> None:
    Consumer.create(name="apps' lines", batch=0)
    job = logged(told=False)
    assert join_chunks(term, consumers=["apps' lines"]) == ""
    number(term)
    assert join_chunks(term, consumers=["apps' lines"]) == ""
    Job.update(finished_at=None, state="running").execute()
    Consumer.update(batch=last_batch()).execute()
    assert join_chunks(term, consumers=["apps' lines"]) == ""
    Job.update(finished_at=time.time() - 60, state="succeeded").where(Job.id == job).execute()
    assert join_chunks(term, consumers=["apps' lines"])


def test_whatever_line_it_dies_on_no_line_is_lost(term: Term, logged: Callable[..., str], hasty: None) -> None:
    died, dying = 0, True
    few = SAID[:3]
    while dying:
        job = logged(few)
        before = lines(job)
        died += 1
        # Every fifth line: most are of the loops that find what to join.
        dying = dies_at(died * 5, lambda: join_chunks(term, consumers=()), lines_of=("jobs/chunks.py",))
        assert lines(job) == before, died
        join_chunks(term, consumers=())
        assert lines(job) == before, died
        assert LogChunk.select().join(Attempt).where(Attempt.job == job).count() == 2, died
    assert died > 10
