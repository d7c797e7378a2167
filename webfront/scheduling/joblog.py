"""The lines of attempts' logs on their way into the database: each line once, whatever comes twice.

From there their text goes on to the share (`webfront.jobs.moving`), beside the turns, so that a share that hangs holds
up none of them. While it takes nothing the text waits, and no more of one attempt than `MOST_WAITING`: what passes that
is told as not kept, in its place.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from webfront.database.models import LARGEST_NUMBER
from webfront.database.rows import octets, rows, value
from wire.messages import LogLines

MOST_WAITING: Final = 64 * 2**20
"""Bytes of one attempt's text that may wait for the share."""
_ASK_EVERY_S: Final = 5.0
_LEFT_OUT: Final = "[skerry] lines are left out here: the share of the platform takes no more of this log just now"
_WAITING: Final = "SELECT COALESCE(SUM({}), 0) FROM log_chunk WHERE attempt_id = ?"
_SPANS: Final = (
    "SELECT attempt_id, `first`, `count` FROM log_chunk WHERE attempt_id IN (?*) "
    "UNION ALL SELECT attempt_id, `first`, `count` FROM log_piece WHERE attempt_id IN (?*) ORDER BY attempt_id, `first`"
)

Span = tuple[int, int]
"""First and last number of consecutive lines."""


class Chunk(NamedTuple):
    """Lines as they are kept. Those of the `count` for which there is no text were dropped by the node."""

    first: int
    count: int  # type: ignore[assignment]  # as in `_ChunkRow`
    text: str


class _ChunkRow(NamedTuple):
    attempt_id: int
    first: int
    count: int  # type: ignore[assignment]  # the column's name; a tuple's own method is not needed here


class Coverage:
    """Which lines of the attempts under way are in the database already, by the attempt's row id.

    A cache of what is committed or about to be: `forget_all` after a transaction that came to nothing.
    """

    def __init__(self) -> None:
        self._spans: dict[int, list[Span]] = {}

    def load(self, attempts: Iterable[int]) -> None:
        """Read what is there of those of these attempts that are not known yet, with one query."""
        missing = [one for one in attempts if one not in self._spans]
        if not missing:
            return
        for attempt in missing:
            self._spans[attempt] = []
        for row in rows(_ChunkRow, _SPANS, missing, missing):
            add(self._spans[row.attempt_id], (row.first, row.first + row.count - 1))

    def take(self, attempt: int, first: int, count: int) -> list[Span]:
        """Those of these lines that are new; from now on they count as there. `load` comes before."""
        span = (first, first + count - 1)
        fresh = missing(self._spans[attempt], span)
        add(self._spans[attempt], span)
        return fresh

    def chunks(self, attempt: int, said: LogLines) -> list[Chunk]:
        """What is to be kept of these lines. `load` comes before."""
        if said.anew:
            self._spans[attempt] = [(b, min(e, said.first - 1)) for b, e in self._spans[attempt] if b < said.first]
        lines = said.lines
        found = []
        for begin, end in self.take(attempt, said.first, len(lines)):
            chosen = lines[begin - said.first : end - said.first + 1]
            text = "\n".join(chosen)
            if text.count("\n") != len(chosen) - 1:
                # A line with a line break in it would shift the numbers of those after it.
                text = "\n".join(" ".join(line.splitlines()) for line in chosen)
            found.append(Chunk(begin, len(chosen), text))
        after = said.first + len(lines)
        dropped = min(said.dropped, LARGEST_NUMBER - after)
        if dropped > 0 and found and found[-1].first + found[-1].count == after and self.take(attempt, after, dropped):
            found[-1] = found[-1]._replace(count=found[-1].count + dropped)
        return found

    def forget(self, attempt: int) -> None:
        """The attempt has ended: nothing more will come that counts."""
        self._spans.pop(attempt, None)

    def forget_all(self) -> None:
        """Read everything again when it is needed."""
        self._spans.clear()


class Backlog:
    """How much text of each attempt waits for the share: counted as it comes, and asked for when that grows large."""

    def __init__(self) -> None:
        self._counted: dict[int, int] = {}
        self._ask_at: dict[int, float] = {}

    def admit(self, attempt: int, said: LogLines, now: float) -> LogLines:
        """These lines, or as many that are left out."""
        size = sum(map(len, said.lines))
        counted = self._counted.get(attempt, 0) + size
        if counted > MOST_WAITING and not 0 < self._ask_at.get(attempt, 0.0) - now <= _ASK_EVERY_S:
            counted = int(value(_WAITING.format(octets("text")), attempt)) + size
            self._ask_at[attempt] = now + _ASK_EVERY_S
        if counted > MOST_WAITING:
            dropped = said.dropped + len(said.lines) - 1
            return msgspec.structs.replace(said, lines=(_LEFT_OUT,), dropped=dropped)
        self._counted[attempt] = counted
        return said

    def forget(self, attempt: int) -> None:
        """The attempt has ended."""
        self._counted.pop(attempt, None)
        self._ask_at.pop(attempt, None)


def missing(spans: Sequence[Span], span: Span) -> list[Span]:
    """The parts of `span` that none of `spans` (sorted, apart from each other) holds."""
    found: list[Span] = []
    first, last = span
    start = bisect.bisect_left(spans, first, key=lambda one: one[1])
    for begin, end in spans[start:]:
        if begin > last:
            break
        if begin > first:
            found.append((first, begin - 1))
        first = max(first, end + 1)
    if first <= last:
        found.append((first, last))
    return found


def add(spans: list[Span], span: Span) -> None:
    """Join `span` into `spans`, which stay sorted and apart from each other."""
    first, last = span
    if last < first:
        return
    # All that overlap it or touch it become one with it.
    start = bisect.bisect_left(spans, first - 1, key=lambda one: one[1])
    stop = start
    while stop < len(spans) and spans[stop][0] <= last + 1:
        first, last = min(first, spans[stop][0]), max(last, spans[stop][1])
        stop += 1
    spans[start:stop] = [(first, last)]
