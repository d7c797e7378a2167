"""Logs of jobs that have ended take fewer rows, and say the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.deaths import dies_at
from support.ended import ended_job, read_lines

from webfront.accounts.views import Account
from webfront.activity.numbering import last_batch, number
from webfront.activity.term import Term
from webfront.database.models import AppVersion, Attempt, Consumer, Job, LogChunk, LogPiece
from webfront.jobs import chunks
from webfront.jobs.moving import SHORT, MovingLogs
from wire.messages import Cause

SAID = [[f"line {number}", "\t\N{SNOWMAN}"] for number in range(60)]
LONG = [[f"{number} " + "x" * 600 + " \N{SNOWMAN}", "and on"] for number in range(40)]


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


@pytest.fixture
def moving(share: Path) -> MovingLogs:
    return MovingLogs(share, ())


def test_the_rows_of_a_short_log_are_joined_and_every_line_stays(
    share: Path, term: Term, moving: MovingLogs, logged: Callable[..., str]
) -> None:
    job = logged()
    before = read_lines(share, job)
    assert moving.run(term) == "joined 120 rows of logs"
    assert read_lines(share, job) == before
    assert [(row.first, row.count) for row in LogChunk.select()] == [(1, 120), (1, 120)]
    assert moving.run(term) == ""
    assert not (share / "logs").exists()


def test_the_text_of_a_long_log_goes_to_the_share_and_every_line_stays(
    share: Path, term: Term, moving: MovingLogs, logged: Callable[..., str]
) -> None:
    job = logged(LONG)
    before = read_lines(share, job)
    # What came within a second is one piece from the beginning.
    assert moving.run(term) == "moved 0.0 MB of logs to the share"
    assert read_lines(share, job) == before
    assert not LogChunk.select().exists()
    assert [(row.first, row.count, row.lines) for row in LogPiece.select()] == [(1, 80, 80)] * 2
    assert (share / "logs" / job / "2").stat().st_mode & 0o777 == 0o600
    text = "".join(f"{line}\n" for said in LONG for line in said)
    assert (share / "logs" / job / "2").read_text() == text
    assert moving.run(term) == ""


def test_pieces_that_lie_side_by_side_are_joined_when_the_lines_were_carried(
    share: Path, term: Term, logged: Callable[..., str]
) -> None:
    Consumer.create(name="apps' lines", batch=0)
    moving = MovingLogs(share, ["apps' lines"])
    job = logged(LONG)
    for row in LogChunk.select():
        LogChunk.update(at=row.at + row.first).where(LogChunk.id == row.id).execute()
    before = read_lines(share, job)
    moving.run(term)
    assert LogPiece.select().count() == 80
    Consumer.update(batch=last_batch()).execute()
    assert moving.run(term) == "joined 80 rows of logs"
    assert read_lines(share, job) == before
    assert [(row.first, row.count) for row in LogPiece.select()] == [(1, 80), (1, 80)]


@pytest.mark.parametrize("said", [SAID, LONG])
def test_a_gap_stays_a_gap_and_an_overlap_an_overlap(
    share: Path, term: Term, moving: MovingLogs, logged: Callable[..., str], said: list[list[str]]
) -> None:
    job = logged(said)
    newest = Attempt.get(Attempt.job == job, Attempt.number == 2)
    LogChunk.delete().where(LogChunk.attempt == newest, LogChunk.first == 41).execute()
    LogChunk.create(attempt=newest, first=60, count=2, at=0, text="again\nagain")
    before = read_lines(share, job)
    moving.run(term)
    assert read_lines(share, job) == before
    table = LogChunk if said is SAID else LogPiece
    rows = table.select().where(table.attempt == newest).order_by(table.first)
    last = len(said) * 2 - 60
    assert [(row.first, row.count) for row in rows] == [(1, 40), (43, 18), (60, 2), (61, last)]


@pytest.mark.parametrize("fewer", [5, 300])
def test_lines_behind_some_that_were_left_out_keep_their_numbers(
    share: Path, term: Term, moving: MovingLogs, logged: Callable[..., str], fewer: int
) -> None:
    job = logged([[]])
    newest = Attempt.get(Attempt.job == job, Attempt.number == 2)
    LogChunk.delete().execute()
    for first, count, lines in ((1, 2, 2), (3, 10, 1), (13, 3, 3), (16, 2, 4), (18, 1, 1)):
        text = "\n".join(f"line {first + n} " + "y" * fewer for n in range(lines))
        LogChunk.create(attempt=newest, first=first, count=count, at=1.0, text=text)
    Attempt.update(log_lines=18).execute()
    before = read_lines(share, job)
    assert [line[0] for line in before] == [1, 2, 3, 13, 14, 15, 16, 17, 18]
    assert all(line[1].startswith(f"line {line[0]} ") for line in before)
    moving.run(term)
    assert read_lines(share, job) == before
    moving.run(term)
    assert (LogChunk.select().count() == 0) == (fewer * 11 > SHORT)


def test_a_chunk_does_not_grow_past_its_bound(
    share: Path, term: Term, moving: MovingLogs, logged: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webfront.jobs.moving.SHORT", 2**20)  # such rows are there from before an upgrade
    job = logged([["x" * 20_000] for _ in range(8)])
    before = read_lines(share, job)
    moving.run(term)
    assert read_lines(share, job) == before
    assert {row.count for row in LogChunk.select()} == {3, 2}
    assert all(len(row.text) <= chunks.LARGEST for row in LogChunk.select())


def test_it_waits_for_who_carries_the_lines_elsewhere_and_for_the_end(
    share: Path, term: Term, logged: Callable[..., str]
) -> None:
    Consumer.create(name="apps' lines", batch=0)
    moving = MovingLogs(share, ["apps' lines"])
    job = logged(told=False)
    assert moving.run(term) == ""
    number(term)
    assert moving.run(term) == ""
    Job.update(finished_at=None, state="running").execute()
    Consumer.update(batch=last_batch()).execute()
    assert moving.run(term) == ""
    Job.update(finished_at=time.time() - 60, state="succeeded").where(Job.id == job).execute()
    assert moving.run(term)


@pytest.mark.parametrize("said", [SAID[:3], LONG[:8]])
def test_whatever_line_it_dies_on_no_line_is_lost(
    share: Path,
    term: Term,
    moving: MovingLogs,
    logged: Callable[..., str],
    hasty: None,
    said: list[list[str]],
) -> None:
    died, dying = 0, True
    table, files = (LogChunk, "jobs/chunks.py") if said[0] == SAID[0] else (LogPiece, "jobs/moving.py")
    while dying:
        job = logged(said)
        before = read_lines(share, job)
        died += 1
        # Every fifth line: most are of the loops that find what to join.
        dying = dies_at(died * 5, lambda: moving.run(term), lines_of=(files, "jobs/logfiles.py"))
        assert read_lines(share, job) == before, died
        moving.run(term)
        assert read_lines(share, job) == before, died
        assert table.select().join(Attempt).where(Attempt.job == job).count() == 2, died
    assert died > 10
