"""Reading an attempt's log: in order, each line once, and what is missing told as a gap.

Its rows say which lines there are and where their text is, in the row (`LogChunk`) or on the share (`LogPiece`). So
either end of a log, and any line of it, is one step down an index and one read of a piece, however long the log is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from webfront.database.models import LARGEST_NUMBER, Attempt, Job, LogChunk
from webfront.database.rows import octets, rows, value
from webfront.errors import NotFound
from webfront.jobs.logfiles import FOLDER, LogText, log_text
from webfront.jobs.states import OPEN_JOBS, AttemptState
from webfront.jobs.views import LogLine, LogView
from webfront.share import open_inside

MOST_LINES: Final = 5000
SETTLES_S: Final = 10.0
"""While an attempt lives, a hole may still be filled, by a message delivered again; an older one is a gap."""

_PART: Final = 64
"""Rows that are looked at together,"""
_PART_BYTES: Final = 2**20
"""and how much text is fetched with them, unless the first alone has more."""

_CHUNKS: Final = (
    "SELECT id, `first`, `count`, at, {} AS size FROM log_chunk WHERE attempt_id = ? AND `first` >= COALESCE("
    "(SELECT MAX(`first`) FROM log_chunk WHERE attempt_id = ? AND `first` <= ?), 0) ORDER BY `first` LIMIT ?"
)
_PIECES: Final = (
    "SELECT `first`, `count`, at, position, size, `lines` FROM log_piece WHERE attempt_id = ? AND `first` >= COALESCE("
    "(SELECT MAX(`first`) FROM log_piece WHERE attempt_id = ? AND `first` <= ?), 0) ORDER BY `first` LIMIT ?"
)
_ALL_PIECES: Final = (
    "SELECT `first`, `count`, at, position, size, `lines` FROM log_piece WHERE attempt_id = ? ORDER BY `first`"
)
_TEXTS: Final = "SELECT id, text FROM log_chunk WHERE id IN (?*)"
_NEWEST: Final = (
    "SELECT `first` + `count` - 1 FROM log_chunk WHERE attempt_id = ? ORDER BY `first` DESC LIMIT 1",
    "SELECT `first` + `count` - 1 FROM log_piece WHERE attempt_id = ? ORDER BY `first` DESC LIMIT 1",
)


class _Chunk(NamedTuple):
    id: int
    first: int
    count: int  # type: ignore[assignment]  # the column's name; a tuple's own method is not needed here
    at: float
    size: int


class _Piece(NamedTuple):
    first: int
    count: int  # type: ignore[assignment]  # as in `_Chunk`
    at: float
    position: int
    size: int
    lines: int


class _Text(NamedTuple):
    id: int
    text: str


class PrintedLine(NamedTuple):
    number: int
    text: str
    at: float
    """When it came."""


class _Dropped(NamedTuple):
    """Lines that the node has not kept. There is nothing to wait for."""

    number: int
    last: int


def read_log(
    share: Path, job: Job, *, after: int, attempt: int | None, limit: int, now: float, last: int | None = None
) -> LogView:
    """Up to `limit` lines numbered above `after`, or from the `last` ones on that there are.

    NotFound when the job has no attempt of that number, `Unavailable` when its log is on a share that is away.
    """
    number = job.attempts if attempt is None else attempt
    known = number <= LARGEST_NUMBER
    row = Attempt.get_or_none((Attempt.job == job) & (Attempt.number == number)) if known else None
    if row is None:
        if attempt is None:
            return LogView(0, (), 0, (), complete=job.state not in OPEN_JOBS)
        raise NotFound(f"This job has no attempt {attempt}.")
    newest = _newest(row)
    if last is not None:
        after = newest - last
    with log_text(share, job.id, number) as text:
        return _read(row, text, max(0, after), max(1, min(limit, MOST_LINES)), newest, now)


def printed_lines(share: Path, job: str, attempt: int) -> Iterator[PrintedLine]:
    """The lines of an attempt that have come, each once, in order; none when there is no such attempt."""
    row = Attempt.get_or_none((Attempt.job == job) & (Attempt.number == attempt))
    if row is not None:
        with log_text(share, job, attempt) as text:
            for one in _told(row, text, 0):
                if isinstance(one, PrintedLine):
                    yield one


def whole_file(share: Path, job: Job, attempt: int | None) -> BinaryIO | None:
    """The file of an attempt's log, open, where it holds all of its lines in order and nothing else.

    None where it does not: while the attempt runs, where lines are left out, or some are in the database yet.
    """
    number = job.attempts if attempt is None else attempt
    if number > LARGEST_NUMBER:
        return None
    row = Attempt.get_or_none(Attempt.job == job, Attempt.number == number, Attempt.state == AttemptState.ENDED)
    if row is None or not row.log_bytes or LogChunk.select().where(LogChunk.attempt == row).exists():
        return None
    line, position = 1, 0
    for one in rows(_Piece, _ALL_PIECES, row.id):
        if (one.first, one.position, one.lines) != (line, position, one.count):
            return None
        line, position = line + one.count, position + one.size
    if (line - 1, position) != (row.log_lines, row.log_bytes):
        return None
    try:
        file = open_inside(share, FOLDER, job.id, str(number))
    except NotFound:
        return None  # whoever reads it line by line is told what is wrong
    if os.fstat(file.fileno()).st_size != position:
        file.close()
        return None
    return file


def _newest(row: Attempt) -> int:
    """The number of the last line that is known of."""
    found = [value(statement, row.id) for statement in _NEWEST]
    said = (row.log_lines or 0) if row.state == AttemptState.ENDED else 0
    return max(said, *(number or 0 for number in found))


def _read(row: Attempt, text: LogText, after: int, limit: int, newest: int, now: float) -> LogView:
    ended = row.state == AttemptState.ENDED
    lines: list[LogLine] = []
    gaps: list[tuple[int, int]] = []
    last, stopped = after, False
    for line in _told(row, text, after):
        if isinstance(line, _Dropped):
            gaps.append((last + 1, line.last))
            last = line.last
            continue
        if line.number > last + 1:
            if not ended and line.at > now - SETTLES_S:
                stopped = True  # look again soon: the missing lines may be on their way
                break
            gaps.append((last + 1, line.number - 1))
            last = line.number - 1
        if len(lines) == limit:
            stopped = True
            break
        lines.append(LogLine(line.number, line.text))
        last = line.number
    total = row.log_lines
    if ended and not stopped and total is not None and last < total:
        gaps.append((last + 1, total))
        last = total
    complete = ended and not stopped
    return LogView(row.number, tuple(lines), last, tuple(gaps), complete, max(newest, last))


def _told(row: Attempt, text: LogText, after: int) -> Iterator[PrintedLine | _Dropped]:
    """The lines after that number that have come, and where the node said that there are none."""
    last = after
    while part := _part(row.id, last):
        texts = _texts(part)
        for one in part:
            if isinstance(one, _Piece):
                lines = text.lines(one.position, one.size, one.lines)
            elif one.id in texts:
                lines = texts[one.id].split("\n")
            else:
                break  # it has just become another row, or its text was too much to be fetched at once
            end = one.first + one.count - 1
            if lines is None:
                last = max(last, end)  # what follows tells of a gap
                continue
            for number, words in enumerate(lines, one.first):
                # Rows may overlap, when an agent came back and did not know what had arrived.
                if last < number <= end:
                    yield PrintedLine(number, words, one.at)
                    last = number
            if len(lines) < one.count and last < end:
                yield _Dropped(last + 1, end)
                last = end


def _part(attempt: int, last: int) -> list[_Chunk | _Piece]:
    """The next rows that tell of lines after `last`; none when there are none."""
    # The chunks first: one that is just moved to the share is then here twice, and not left out.
    wanted = (attempt, attempt, last + 1, _PART)
    chunks = rows(_Chunk, _CHUNKS.format(octets("text")), *wanted)
    pieces = rows(_Piece, _PIECES, *wanted)
    # Where one table has more than these, what the other has behind them is not next.
    bounds = [found[-1].first for found in (chunks, pieces) if len(found) == _PART]
    bound = min(bounds, default=LARGEST_NUMBER)
    both: list[_Chunk | _Piece] = [*pieces, *chunks]
    telling = [one for one in both if one.first <= bound and one.first + one.count - 1 > last]
    return sorted(telling, key=lambda one: one.first)


def _texts(part: list[_Chunk | _Piece]) -> dict[int, str]:
    """The texts of the first of these that are in the database, by their ids."""
    wanted: list[int] = []
    size = 0
    for one in part:
        if isinstance(one, _Chunk):
            size += one.size
            if wanted and size > _PART_BYTES:
                break
            wanted.append(one.id)
    return {one.id: one.text for one in rows(_Text, _TEXTS, wanted)} if wanted else {}
