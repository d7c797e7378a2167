"""Joining the rows of a log once its job has ended.

While an attempt runs its lines come a few at a time, and each few are a row with a key of its own: so they are there at
once. Of a log that is whole a row for many lines is enough, and takes half of the room. The lines stay what they are,
and only when each of them came is forgotten. Chunks are joined with their text; of pieces, whose text lies in one file,
only what lies there side by side, and no text is touched.

Crash order: a transaction makes of some rows one. Killed anywhere, the next run comes to the same jobs again, and finds
what is left to join.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from webfront.activity.term import Term
from webfront.database.rows import change, octets, rows
from webfront.retention.runs import go_on

LARGEST: Final = 64 * 1024
"""Bytes of a joined chunk,"""
LARGEST_PIECE: Final = 2**18
"""and of a joined piece: what is read for a single line of it."""
_AT_ONCE: Final = 500
"""Rows that one transaction joins."""

_CHUNKS: Final = (
    "SELECT c.id, c.attempt_id, c.`first`, c.`count` AS said, {} AS size FROM log_chunk c "
    "JOIN attempt a ON a.id = c.attempt_id WHERE a.job_id IN (?*) ORDER BY c.attempt_id, c.`first`"
)
_PIECES: Final = (
    "SELECT p.id, p.attempt_id, p.`first`, p.`count` AS said, p.size, p.position, p.`lines` FROM log_piece p "
    "JOIN attempt a ON a.id = p.attempt_id WHERE a.job_id IN (?*) ORDER BY p.attempt_id, p.`first`"
)
_TEXTS: Final = "SELECT id, text FROM log_chunk WHERE id IN (?*) ORDER BY `first`"
_JOIN: Final = "UPDATE log_chunk SET `count` = ?, text = ? WHERE id = ?"
_DELETE: Final = "DELETE FROM log_chunk WHERE id IN (?*)"
_JOIN_PIECES: Final = "UPDATE log_piece SET `count` = ?, size = ?, `lines` = ? WHERE id = ?"
_DELETE_PIECES: Final = "DELETE FROM log_piece WHERE id IN (?*)"


class _Chunk(NamedTuple):
    id: int
    attempt_id: int
    first: int
    said: int
    size: int


class _Piece(NamedTuple):
    id: int
    attempt_id: int
    first: int
    said: int
    size: int
    position: int
    lines: int


class _Text(NamedTuple):
    id: int
    text: str


_Row = TypeVar("_Row", _Chunk, _Piece)


def join_rows(term: Term, jobs: Sequence[str]) -> int | None:
    """Join the rows of these jobs' logs; how many went into others. None when the term is over. Raises `Deposed`."""
    chunks = rows(_Chunk, _CHUNKS.format(octets("c.text")), list(jobs))
    pieces = rows(_Piece, _PIECES, list(jobs))
    done = [
        _joined(term, _runs(chunks, lambda last, one: True, LARGEST), _join),
        _joined(term, _runs(pieces, _is_beside, LARGEST_PIECE), _join_pieces),
    ]
    return None if None in done else sum(one or 0 for one in done)


def _joined(term: Term, runs: Iterator[list[_Row]], join: Callable[[list[_Row]], int]) -> int | None:
    joined = 0
    for part in _parts(runs):
        with term.transaction():
            joined += sum(join(run) for run in part)
        if not go_on(term):
            return None
    return joined


def _is_beside(last: _Piece, one: _Piece) -> bool:
    return last.position + last.size == one.position and last.lines == last.said


def _runs(there: Iterable[_Row], may_join: Callable[[_Row, _Row], bool], largest: int) -> Iterator[list[_Row]]:
    """Rows that follow one another without a gap or an overlap, as many as may become one; no single ones."""
    run: list[_Row] = []
    size = 0
    for one in there:
        last = run[-1] if run else None
        follows = last is not None and last.attempt_id == one.attempt_id and last.first + last.said == one.first
        if last is None or not follows or not may_join(last, one) or size + one.size > largest or len(run) == _AT_ONCE:
            if len(run) > 1:
                yield run
            run, size = [], 0
        run.append(one)
        size += one.size + 1
    if len(run) > 1:
        yield run


def _parts(runs: Iterator[list[_Row]]) -> Iterator[list[list[_Row]]]:
    """What one transaction joins."""
    part: list[list[_Row]] = []
    for run in runs:
        if part and sum(map(len, part)) + len(run) > _AT_ONCE:
            yield part
            part = []
        part.append(run)
    if part:
        yield part


def _join(run: list[_Chunk]) -> int:
    """Make one of these, or several where lines were left out between. Returns how many went into others."""
    texts = {one.id: one.text for one in rows(_Text, _TEXTS, [one.id for one in run])}
    if len(texts) != len(run):
        return 0  # they are not as they were found
    joined = 0
    open_run: list[_Chunk] = []
    for one in run:
        open_run.append(one)
        # Behind one whose text has not as many lines as it tells of, the lines would get other numbers.
        if texts[one.id].count("\n") + 1 != one.said or one is run[-1]:
            if len(open_run) > 1:
                text = "\n".join(texts[each.id] for each in open_run)
                change(_JOIN, sum(each.said for each in open_run), text, open_run[0].id)
                change(_DELETE, [each.id for each in open_run[1:]])
                joined += len(open_run)
            open_run = []
    return joined


def _join_pieces(run: list[_Piece]) -> int:
    """Make one of these. Returns how many went into it."""
    said, size, lines = (
        sum(counted) for counted in zip(*((one.said, one.size, one.lines) for one in run), strict=True)
    )
    change(_JOIN_PIECES, said, size, lines, run[0].id)
    change(_DELETE_PIECES, [one.id for one in run[1:]])
    return len(run)
