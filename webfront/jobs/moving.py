"""Moving the text of logs from the database to the share, and joining the rows that tell of it.

An agent's lines are in the database as soon as they have come, a few in a row, since a scheduler's turn writes nothing
but the database. From there their text goes on: while an attempt runs when much of it waits or it has waited for long,
and all of it when the job has ended. What was said in one second is one piece then, so that each line keeps the time at
which it came. A log that is short as a whole stays: a file of its own would take more room than its rows.

Crash order: a place in the file is taken (a transaction), the text written there and brought to the disk, and then
another transaction puts the pieces' rows in the place of the chunks'. Killed before that the chunks are there as they
were, and a part of the file is of no use. Where the chunks changed meanwhile (lines were told anew), nothing of it
counts, and the next run begins with what is there then.

The rows of a log whose job has ended are joined, so that few are left. When each line came is forgotten then, so that
waits until whoever carries the lines elsewhere has had them. A share that is away or full keeps the text where it is:
the chore fails, is told of, and tried again.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from webfront.activity.term import Term
from webfront.database.rows import change, locked, many, octets, rows, value
from webfront.errors import Unavailable
from webfront.jobs.chunks import LARGEST_PIECE, join_rows
from webfront.jobs.logfiles import write_text
from webfront.jobs.states import AttemptState
from webfront.retention.facts import read_until
from webfront.retention.runs import ended_jobs, go_on, move

SHORT: Final = 1024
"""Bytes of a whole log that stays in the database."""
ENOUGH: Final = 2**18
"""Bytes of a log under way that are worth a piece,"""
LONGEST_S: Final = 30.0
"""and how long fewer of them wait."""
_SETTLED_S: Final = 5.0
_SECOND: Final = 1.0
_JOBS: Final = 100
_ROWS: Final = 500
_BYTES: Final = 2**22
"""What is moved at once,"""
_ROUNDS: Final = 8
"""and how often in one run, so that one long log does not hold up the others."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_LIVE: Final = (
    "SELECT a.id, a.job_id AS job, a.number, (SELECT MAX(c.`first`) FROM log_chunk c WHERE c.attempt_id = a.id) "
    "AS newest, a.log_bytes AS taken FROM attempt a WHERE a.state IN (?*)"
)
_ENDED: Final = "SELECT id, job_id AS job, number, NULL AS newest, log_bytes AS taken FROM attempt WHERE job_id IN (?*)"
_CHUNKS: Final = (
    "SELECT id, `first`, `count`, at, {} AS size FROM log_chunk WHERE attempt_id = ? AND `first` >= ? AND glimpse <= ? "
    "ORDER BY `first` LIMIT ?"
)
_SIZES: Final = (
    "SELECT c.attempt_id AS id, SUM({}) AS size FROM log_chunk c JOIN attempt a ON a.id = c.attempt_id "
    "WHERE a.job_id IN (?*) GROUP BY c.attempt_id"
)
_TEXTS: Final = "SELECT id, text FROM log_chunk WHERE id IN (?*)"
_TAKE: Final = "UPDATE attempt SET log_bytes = log_bytes + ? WHERE id = ?"
_TAKEN: Final = "SELECT log_bytes FROM attempt WHERE id = ?"
_THERE: Final = "SELECT id, `count` FROM log_chunk WHERE id IN (?*)"
_DELETE: Final = "DELETE FROM log_chunk WHERE id IN (?*)"
_INSERT: Final = (
    "INSERT INTO log_piece (attempt_id, `first`, `count`, at, position, size, `lines`) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class _Attempt(NamedTuple):
    id: int
    job: str
    number: int
    newest: int | None
    """The number of the first line of its last chunk."""
    taken: int


class _Chunk(NamedTuple):
    id: int
    first: int
    count: int  # type: ignore[assignment]  # the column's name; a tuple's own method is not needed here
    at: float
    size: int


class _There(NamedTuple):
    id: int
    count: int  # type: ignore[assignment]  # as in `_Chunk`


class _Text(NamedTuple):
    id: int
    text: str


class _Size(NamedTuple):
    id: int
    size: int


class _Piece(NamedTuple):
    """Lines on their way."""

    first: int
    said: int
    at: float
    lines: int
    text: bytes


class _Place(NamedTuple):
    position: int
    size: int


class MovingLogs:
    """The chore. It remembers how far it has come with the attempts under way, so that it need not look at all rows."""

    def __init__(self, share: Path, consumers: Collection[str]) -> None:
        self._share = share
        self._consumers = consumers
        self._from: dict[int, int] = {}
        """Of attempts under way the number of the first line that may still have to be moved."""
        self._spare: dict[int, _Place] = {}
        """Places that a full share refused: so it is not filled with half of what it refuses again and again. After
        another error a place is given up, since nobody knows what of it is still on its way."""

    def run(self, term: Term) -> str:
        """Move and join what is due. Raises `Deposed`, and `Unavailable` when the share takes nothing."""
        before = term.now() - _SETTLED_S
        try:
            moved = self._move_live(term) + self._move_ended(term, before)
        except OSError as error:
            raise Unavailable(f"the share takes no text of logs: {error.strerror or error}") from error
        joined = self._join(term, min(before, read_until(self._consumers, term.now())))
        told = [f"moved {moved / 1e6:.1f} MB of logs to the share"] if moved else []
        told += [f"joined {joined} rows of logs"] if joined else []
        return ", ".join(told)

    def _move_live(self, term: Term) -> int:
        found = rows(_Attempt, _LIVE, [AttemptState.CLAIMED, AttemptState.RUNNING])
        self._from = known = {one.id: self._from.get(one.id, 0) for one in found}
        total = 0
        for one in found:
            for _ in range(_ROUNDS):
                if one.newest is None or one.newest < known[one.id]:
                    break
                chunks = _chunks(one.id, known[one.id], glimpses=False)
                if not chunks or (_size(chunks) < ENOUGH and 0 <= term.now() - chunks[0].at < LONGEST_S):
                    break
                moved = self._move(term, one, chunks)
                if moved is None:
                    break
                total += moved
                known[one.id] = chunks[-1].first + 1
                if not go_on(term):
                    return total
        return total

    def _move_ended(self, term: Term, before: float) -> int:
        total = 0
        while found := ended_jobs("log files", before, _JOBS):
            jobs = [job.id for job in found]
            sizes = {one.id: one.size for one in rows(_Size, _SIZES.format(octets("c.text")), jobs)}
            for one in rows(_Attempt, _ENDED, jobs) if sizes else ():
                if sizes.get(one.id, 0) < (1 if one.taken else SHORT):
                    continue
                first = 0
                while chunks := _chunks(one.id, first, glimpses=True):
                    moved = self._move(term, one, chunks)
                    if moved is None:
                        return total  # the next run begins with this job again
                    total += moved
                    first = chunks[-1].first + 1
                    if not go_on(term):
                        return total
            with term.transaction():
                move("log files", found[-1].finished_at, found[-1].id)
            if not go_on(term):
                break
        return total

    def _move(self, term: Term, attempt: _Attempt, chunks: Sequence[_Chunk]) -> int | None:
        """Move these. Returns how many bytes; None where they are not as they were found."""
        texts = {one.id: one.text for one in rows(_Text, _TEXTS, [one.id for one in chunks])}
        if len(texts) != len(chunks):
            return None
        pieces = list(_pieces((one, texts[one.id]) for one in chunks))
        whole = b"".join(piece.text for piece in pieces)
        place = self._take(term, attempt.id, len(whole))
        if place is None:
            return None
        try:
            write_text(self._share, attempt.job, attempt.number, place.position, whole)
            with term.transaction():
                there = {(one.id, one.count) for one in rows(_There, locked(_THERE), [one.id for one in chunks])}
                if there != {(one.id, one.count) for one in chunks}:
                    raise _Changed
                change(_DELETE, [one.id for one in chunks])
                many(_INSERT, _placed(attempt.id, pieces, place.position))
        except _Changed:
            return None
        except OSError as error:
            if error.errno in _FULL:
                self._spare[attempt.id] = place
            raise
        return len(whole)

    def _take(self, term: Term, attempt: int, size: int) -> _Place | None:
        """A place in the attempt's file that nobody else ever writes to; None when there is no such attempt."""
        spare = self._spare.pop(attempt, None)
        if spare is not None and spare.size >= size:
            return spare
        with term.transaction():
            if not change(_TAKE, size, attempt):
                return None
            return _Place(int(value(_TAKEN, attempt)) - size, size)

    def _join(self, term: Term, before: float) -> int:
        joined = 0
        while found := ended_jobs("log chunks", before, _JOBS):
            done = join_rows(term, [job.id for job in found])
            if done is None:
                return joined
            joined += done
            with term.transaction():
                move("log chunks", found[-1].finished_at, found[-1].id)
            if not go_on(term):
                break
        return joined


class _Changed(Exception):
    """The chunks are not as they were found."""


def _chunks(attempt: int, first: int, *, glimpses: bool) -> list[_Chunk]:
    """What is moved next of an attempt's chunks from this line on."""
    found = rows(_Chunk, _CHUNKS.format(octets("text")), attempt, first, glimpses, _ROWS)
    size = 0
    for number, one in enumerate(found):
        size += one.size + 1
        if number and size > _BYTES:
            return found[:number]
    return found


def _placed(attempt: int, pieces: Iterable[_Piece], position: int) -> Iterator[tuple[int | float, ...]]:
    """The rows of these, the first of which begins at `position`."""
    for piece in pieces:
        yield attempt, piece.first, piece.said, piece.at, position, len(piece.text), piece.lines
        position += len(piece.text)


def _size(chunks: Iterable[_Chunk]) -> int:
    return sum(one.size for one in chunks)


def _pieces(chunks: Iterable[tuple[_Chunk, str]]) -> Iterator[_Piece]:
    """What becomes of these: one of those that follow one another and came within a second."""
    open_piece: _Piece | None = None
    for chunk, text in chunks:
        new = _Piece(chunk.first, chunk.count, chunk.at, text.count("\n") + 1, text.encode("utf-8", "replace") + b"\n")
        if open_piece is None:
            open_piece = new
        elif (
            open_piece.said == open_piece.lines
            and open_piece.first + open_piece.said == new.first
            and 0 <= new.at - open_piece.at < _SECOND
            and len(open_piece.text) + len(new.text) <= LARGEST_PIECE
        ):
            open_piece = _Piece(
                open_piece.first,
                open_piece.said + new.said,
                open_piece.at,
                open_piece.lines + new.lines,
                open_piece.text + new.text,
            )
        else:
            yield open_piece
            open_piece = new
    if open_piece is not None:
        yield open_piece
