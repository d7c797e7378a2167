"""The text of a log goes to the share while its attempt runs, and what is read is the same at every moment."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest

from webfront.activity.term import Term
from webfront.database.models import Attempt, Job, LogChunk, LogPiece
from webfront.errors import Unavailable
from webfront.jobs.logfiles import LogText, write_text
from webfront.jobs.logs import printed_lines, read_log
from webfront.jobs.moving import ENOUGH, LONGEST_S, MovingLogs
from webfront.scheduling import joblog
from webfront.scheduling.leadership import Leadership
from wire.messages import LogLines

from .test_joblog import Log

Line = tuple[int, str]


class Moved(Log):
    """A log whose text is moved to the share as time goes by."""

    def __init__(self, share: Path) -> None:
        super().__init__(share)
        self.now = 100.0
        self.term = Term(Leadership("the tests").take_over(0.0).epoch, lambda: self.now)
        self.moving = MovingLogs(share, ())

    def move(self, *, later: float = LONGEST_S) -> None:
        self.now += later
        self.moving.run(self.term)

    def lines(self) -> list[Line]:
        return [(one.number, one.text) for one in printed_lines(self.share, "job", 1)]

    def end(self, lines: int) -> None:
        Attempt.update(state="ended", log_lines=lines).execute()
        Job.update(state="succeeded", finished_at=self.now - 10).execute()


@pytest.fixture
def log(database: object, tmp_path: Path) -> Moved:
    return Moved(tmp_path)


def said(first: int, last: int, *, anew: bool = False, glimpse: bool = False, width: int = 0) -> LogLines:
    words = tuple(f"line {n} ".ljust(width, "x") + ("" if not glimpse else "?") for n in range(first, last + 1))
    return LogLines("job", 1, 0, first, words, 0, anew, glimpse)


def test_what_waits_is_moved_when_it_is_much_or_old_and_reads_the_same(log: Moved) -> None:
    log.say(said(1, 10))
    log.move(later=1)
    assert not LogPiece.select().exists()
    log.move()
    assert (LogChunk.select().count(), LogPiece.select().count()) == (0, 1)
    log.say(said(11, 40, width=ENOUGH // 30 + 1))
    log.move(later=0)
    assert (LogChunk.select().count(), LogPiece.select().count()) == (0, 2)
    log.say(said(41, 42))
    assert [number for number, _ in log.lines()] == list(range(1, 43))
    for after in (0, 9, 10, 11, 39, 40, 41):
        view = log.read(after)
        assert [line.number for line in view.lines] == list(range(after + 1, 43))
        assert (view.gaps, view.newest) == ((), 42)
        assert log.read(after, limit=3).next == min(after + 3, 42)
    last = read_log(log.share, log.job, after=0, attempt=1, limit=100, now=log.now, last=5)
    assert [line.number for line in last.lines] == [38, 39, 40, 41, 42]
    log.coverage.forget_all()
    log.say(said(1, 42))  # a second copy changes nothing, wherever the first one is
    assert LogChunk.select().count() == 1


def test_glimpses_stay_in_the_database_until_the_attempt_has_ended(log: Moved) -> None:
    log.say(said(1, 3), said(4, 6, anew=True, glimpse=True))
    log.move()
    assert [row.first for row in LogChunk.select()] == [4]
    log.say(said(4, 4, anew=True), said(5, 9))
    log.move()
    assert not LogChunk.select().exists()
    assert [text.endswith("?") for _, text in log.lines()] == [False] * 9
    log.say(said(10, 12, anew=True, glimpse=True))  # and its node is lost
    log.end(12)
    log.move()
    assert not LogChunk.select().exists()
    assert [number for number, _ in log.lines()] == list(range(1, 13))


@pytest.mark.parametrize("seed", range(6))
def test_lines_told_anew_take_the_place_of_moved_ones(log: Moved, seed: int) -> None:
    chance = random.Random(seed)
    expected: dict[int, str] = {}
    last = 0
    for telling in range(60):
        anew = chance.random() < 0.2
        first = chance.randint(1, last + 1) if anew else last + 1
        words = tuple(f"{telling}.{number}" for number in range(chance.randint(1, 9)))
        log.say(LogLines("job", 1, 0, first, words, 0, anew))
        expected = {number: text for number, text in expected.items() if number < first}
        expected.update(enumerate(words, first))
        last = first + len(words) - 1
        if chance.random() < 0.4:
            log.move()
        if chance.random() < 0.2:
            log.coverage.forget_all()
        assert dict(log.lines()) == expected
    log.end(last)
    log.move()
    assert not LogChunk.select().exists()
    assert dict(log.lines()) == expected
    view = log.read(last // 2)
    assert view.complete
    assert view.gaps == ()


def test_a_chunk_told_anew_while_it_is_moved_is_not_moved(log: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    log.say(said(1, 5))

    def write(*given: object) -> None:
        monkeypatch.undo()
        log.say(said(3, 4, anew=True))

    monkeypatch.setattr("webfront.jobs.moving.write_text", write)
    log.move()
    assert not LogPiece.select().exists()
    log.move()
    assert [(row.first, row.count, row.lines) for row in LogPiece.select()] == [(1, 2, 5), (3, 2, 2)]
    assert [number for number, _ in log.lines()] == [1, 2, 3, 4]


def test_two_that_write_at_once_never_write_at_one_place(log: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hung in its write is overtaken by its successor, and then goes on."""
    log.say(said(1, 5))
    hung: list[tuple[Any, ...]] = []
    monkeypatch.setattr("webfront.jobs.moving.write_text", lambda *given: hung.append(given))
    log.move()
    LogPiece.delete().execute()  # its second transaction would have been refused
    log.say(LogLines("job", 1, 0, 1, tuple("abcde"), 0, anew=True))
    monkeypatch.undo()
    MovingLogs(log.share, ()).run(log.term)
    before = log.lines()
    assert [text for _, text in before] == list("abcde")
    for given in hung:
        write_text(*given)
    assert log.lines() == before


def test_a_share_that_is_full_or_away_keeps_the_text_where_it_is(log: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    log.say(said(1, 5))
    expected = log.lines()
    real = os.pwrite

    def write(handle: int, text: bytes, position: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("webfront.jobs.logfiles.os.pwrite", write)
    for _ in range(5):
        with pytest.raises(Unavailable, match="the share takes no text of logs: No space left"):
            log.move()
        assert log.lines() == expected
    monkeypatch.setattr("webfront.jobs.logfiles.os.pwrite", real)
    log.move()
    assert log.lines() == expected
    assert not LogChunk.select().exists()
    # Five failures have taken no more of the file than one.
    assert (log.share / "logs" / "job" / "1").stat().st_size == sum(len(text) + 1 for _, text in expected)
    (log.share / "logs").rename(log.share / "away")
    with pytest.raises(Unavailable, match="cannot be read now"):
        log.read()
    (log.share / "away").rename(log.share / "logs")
    assert log.lines() == expected


def test_text_that_is_gone_is_a_gap(log: Moved) -> None:
    log.say(said(1, 5))
    log.move()
    log.say(said(6, 9))
    (log.share / "logs" / "job" / "1").write_bytes(b"damaged")
    view = read_log(log.share, log.job, after=0, attempt=1, limit=100, now=log.now + 60)
    assert ([line.number for line in view.lines], view.gaps) == ([6, 7, 8, 9], ((1, 5),))


def test_of_what_waits_for_a_share_no_more_is_kept_than_its_bound(log: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblog, "MOST_WAITING", 1000)
    book = joblog.Backlog()

    def hear(lines: LogLines) -> None:
        log.say(book.admit(log.attempt.id, lines, log.now))

    for first in range(1, 200, 10):
        hear(said(first, first + 9))
    view = log.read()
    kept = len([line for line in view.lines if line.text.startswith("line ")])
    assert 100 <= kept < 130
    assert next(line for line in view.lines if not line.text.startswith("line ")).number == kept + 1
    assert sum(last - first + 1 for first, last in view.gaps) + len(view.lines) == 200
    assert LogChunk.select().count() == 20
    log.move()
    hear(said(201, 210))
    assert [line.number for line in log.read(200).lines] == list(range(201, 211))


def test_the_work_of_opening_a_log_does_not_grow_with_it(log: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of 400 MB, most of it a hole: its ends and a line in its middle each read a few pieces, and no more."""
    pieces, lines, size = 400, 10_000, 2**20
    file = log.share / "logs" / "job" / "1"
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        for number in (0, pieces // 2, pieces - 1):
            out.seek(number * size)
            out.write(b"%-102d\n" % number * lines + b" " * (size - 103 * lines - 1) + b"\n")
        out.truncate(pieces * size)
    LogPiece.insert_many(
        {
            "attempt": log.attempt, "first": 1 + n * (lines + 1), "count": lines + 1, "at": 0.0,
            "position": n * size, "size": size, "lines": lines + 1,
        }
        for n in range(pieces)
    ).execute()  # fmt: skip
    total = pieces * (lines + 1)
    log.end(total)
    read: list[int] = []
    real = LogText.lines

    def counting(self: LogText, position: int, size: int, count: int) -> list[str] | None:
        read.append(size)
        return real(self, position, size, count)

    monkeypatch.setattr(LogText, "lines", counting)
    middle = pieces // 2 * (lines + 1)
    for after, last, word in ((0, None, "0"), (middle, None, str(pieces // 2)), (0, 1000, str(pieces - 1))):
        read.clear()
        view = read_log(log.share, log.job, after=after, attempt=1, limit=1000, now=0, last=last)
        assert len(view.lines) == 1000
        assert view.lines[0].text.strip() == word
        assert sum(read) <= 2 * size
        assert view.newest == total
