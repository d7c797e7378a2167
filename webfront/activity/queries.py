"""Looking at facts, consumers and chores. For administrators: it is about everybody."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from webfront.activity.facts import COLUMNS, FactRow, Kind, from_row
from webfront.activity.views import ChoreView, ConsumerView, FactPage
from webfront.database.rows import rows, value
from webfront.errors import InvalidInput

MOST_FACTS: Final = 200
MOST_BEHIND: Final = 10_000

_LOOKED_THROUGH: Final = 20_000
"""Facts that one question with a filter looks at: there is no index for each filter, and what is sought may be rare."""

_BEHIND: Final = "SELECT COUNT(*) FROM (SELECT id FROM fact WHERE batch > ? LIMIT ?) AS beyond"
_UNNUMBERED: Final = "SELECT COUNT(*) FROM (SELECT id FROM fact WHERE batch IS NULL LIMIT ?) AS unnumbered"
_CONSUMERS: Final = "SELECT name, batch, failing_since, error, tries, next_try_at FROM consumer ORDER BY name"
_CHORES: Final = "SELECT name, last_at, took_s, told, failing_since, error, next_at FROM chore ORDER BY name"


class _Consumer(NamedTuple):
    name: str
    batch: int
    failing_since: float | None
    error: str
    tries: int
    next_try_at: float | None


class _Chore(NamedTuple):
    name: str
    last_at: float
    took_s: float
    told: str
    failing_since: float | None
    error: str
    next_at: float


def recent_facts(*, kind: str = "", user: str = "", before: int | None = None, limit: int = 50) -> FactPage:
    """The newest facts, or those that come before one; of a kind or a user where that is given. InvalidInput.

    With a filter it looks at a bounded number of facts: a page may be short, or empty, and still not be the last.
    """
    if kind and kind not in set(Kind):
        raise InvalidInput(f"There is no kind of fact {kind[:40]}; there are: {', '.join(Kind)}.")
    limit = max(1, min(limit, MOST_FACTS))
    newest: int = value("SELECT MAX(id) FROM fact") or 0
    below = newest + 1 if before is None else before
    floor = below - _LOOKED_THROUGH if kind or user else 0
    conditions = ["id < ?", "id >= ?"]
    values: list[int | str] = [below, floor]
    for column, wanted in (("kind", kind), ("`user`", user)):
        if wanted:
            conditions.append(f"{column} = ?")
            values.append(wanted)
    # Constant names, values as parameters.
    sql = f"SELECT {COLUMNS} FROM fact WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"  # noqa: S608
    found = rows(FactRow, sql, *values, limit + 1)
    older: int | None = None
    if len(found) > limit:
        older = found[limit - 1].id
    elif floor > 0 and floor > (value("SELECT MIN(id) FROM fact") or 0):
        older = floor
    return FactPage(tuple(from_row(row) for row in found[:limit]), older)


def list_consumers() -> tuple[ConsumerView, ...]:
    """Every consumer that has begun, by name."""
    unnumbered: int = value(_UNNUMBERED, MOST_BEHIND + 1)
    return tuple(_consumer(row, unnumbered) for row in rows(_Consumer, _CONSUMERS))


def list_chores() -> tuple[ChoreView, ...]:
    """Every chore that has run, by name."""
    return tuple(ChoreView(**row._asdict()) for row in rows(_Chore, _CHORES))


def _consumer(row: _Consumer, unnumbered: int) -> ConsumerView:
    behind = unnumbered + int(value(_BEHIND, row.batch, MOST_BEHIND + 1))
    known: dict[str, Any] = row._asdict()
    del known["batch"]
    return ConsumerView(**known, behind=min(behind, MOST_BEHIND + 1))
