"""The order of facts: a batch number for those that have been committed, given by the leading scheduler.

A transaction's facts get their ids when they are written, and become visible when it is committed; where several write
at once, a lower id may appear later. So a reader who remembers the highest id it has seen would pass facts over.

Here a fact has no place in the order until it has been seen: `number` looks for facts without one, and gives those it
finds the next batch number. It looks with an ordinary read, which sees what is committed and waits for nothing, and
then marks the rows by their ids; a fact that is committed a moment later is found by the next look. Batches are given
by one scheduler at a time, since its transaction holds its term, and a batch that has been committed never grows. So
whoever has read a whole batch has read everything up to it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from webfront.activity.facts import COLUMNS, Fact, FactRow, Kind, from_row
from webfront.activity.term import Term
from webfront.database.rows import change, rows, value

LARGEST: Final = 500
"""Facts in a batch at most: what a consumer repeats when it is killed."""

_UNNUMBERED: Final = "SELECT id FROM fact WHERE batch IS NULL ORDER BY id LIMIT ?"
_NUMBER: Final = "UPDATE fact SET batch = ? WHERE id IN (?*)"
# Old facts go, and the consumers' rows stay: so no number is given twice.
_LAST: Final = (
    "SELECT MAX(batch) FROM (SELECT MAX(batch) AS batch FROM fact UNION ALL SELECT MAX(batch) FROM consumer) AS known"
)
_NEXT: Final = "SELECT MIN(batch) FROM fact WHERE batch > ?"
_READ: Final = f"SELECT {COLUMNS} FROM fact WHERE batch = ? AND kind IN (?*) ORDER BY id"  # noqa: S608  constant names


class _Unnumbered(NamedTuple):
    id: int


def number(term: Term, *, largest: int = LARGEST) -> int:
    """Number what has been committed and is not numbered yet, `largest` at most. Returns how many. Raises `Deposed`."""
    ids = [one.id for one in rows(_Unnumbered, _UNNUMBERED, largest)]
    if ids:
        with term.transaction():
            change(_NUMBER, last_batch() + 1, ids)
    return len(ids)


def last_batch() -> int:
    """The newest batch; 0 when there is none."""
    newest: int | None = value(_LAST)
    return newest or 0


def next_batch(after: int) -> int | None:
    """The first batch after this one; None when there is none yet."""
    found: int | None = value(_NEXT, after)
    return found


def read_batch(batch: int, kinds: Collection[Kind]) -> list[Fact]:
    """The facts of a batch that are of these kinds, in their order."""
    return [from_row(row) for row in rows(FactRow, _READ, batch, [kind.value for kind in kinds])]
