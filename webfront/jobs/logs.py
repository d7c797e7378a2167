"""Reading an attempt's log out of its chunks: in order, each line once, and what is missing told as a gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import peewee

from webfront.database.models import LARGEST_NUMBER, Attempt, Job, LogChunk
from webfront.errors import NotFound
from webfront.jobs.states import OPEN_JOBS, AttemptState
from webfront.jobs.views import LogLine, LogView

MOST_LINES: Final = 5000
SETTLES_S: Final = 10.0
"""While an attempt lives, a hole may still be filled, by a message delivered again; an older one is a gap."""


def read_log(job: Job, *, after: int, attempt: int | None, limit: int, now: float) -> LogView:
    """Up to `limit` lines numbered above `after`. NotFound when the job has no attempt of that number."""
    number = job.attempts if attempt is None else attempt
    known = number <= LARGEST_NUMBER
    row = Attempt.get_or_none((Attempt.job == job) & (Attempt.number == number)) if known else None
    if row is None:
        if attempt is None:
            return LogView(0, (), 0, (), complete=job.state not in OPEN_JOBS)
        raise NotFound(f"This job has no attempt {attempt}.")
    return _read(row, max(0, after), max(1, min(limit, MOST_LINES)), now)


class PrintedLine(NamedTuple):
    number: int
    text: str
    at: float
    """When it came."""


class _Dropped(NamedTuple):
    """Lines that the node has not kept. There is nothing to wait for."""

    number: int
    last: int


def printed_lines(job: str, attempt: int) -> Iterator[PrintedLine]:
    """The lines of an attempt that have come, each once, in order; none when there is no such attempt."""
    row = Attempt.get_or_none((Attempt.job == job) & (Attempt.number == attempt))
    if row is not None:
        for one in _told(row, 0):
            if isinstance(one, PrintedLine):
                yield one


def _read(row: Attempt, after: int, limit: int, now: float) -> LogView:
    ended = row.state == AttemptState.ENDED
    lines: list[LogLine] = []
    gaps: list[tuple[int, int]] = []
    last, stopped = after, False
    for line in _told(row, after):
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
    return LogView(row.number, tuple(lines), last, tuple(gaps), complete=ended and not stopped)


def _told(row: Attempt, after: int) -> Iterator[PrintedLine | _Dropped]:
    """The lines after that number that have come, and where the node said that there are none."""
    last = after
    for chunk in _chunks(row, after):
        end = chunk.first + chunk.count - 1
        lines = chunk.text.split("\n")
        for number, text in enumerate(lines, chunk.first):
            # Chunks may overlap, when an agent came back and did not know what had arrived.
            if last < number <= end:
                yield PrintedLine(number, text, chunk.at)
                last = number
        if len(lines) < chunk.count and last < end:
            yield _Dropped(last + 1, end)
            last = end


def _chunks(row: Attempt, after: int) -> Iterator[LogChunk]:
    """The chunks from the one that holds the line after `after` on, read as they are needed.

    One query, since `webfront.jobs.chunks` may join chunks between two.
    """
    other = LogChunk.alias()
    start = other.select(peewee.fn.MAX(other.first)).where((other.attempt == row) & (other.first <= after + 1))
    begins = LogChunk.first >= peewee.fn.COALESCE(start, 0)
    found: Iterator[LogChunk] = (
        LogChunk.select().where((LogChunk.attempt == row) & begins).order_by(LogChunk.first).iterator()
    )
    return found
