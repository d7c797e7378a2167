"""How long facts are kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from webfront.activity.numbering import last_batch
from webfront.activity.slices import remove_in_slices
from webfront.activity.term import Term
from webfront.database.rows import change, rows

# Ids grow with time: what is old comes first, and once the oldest ones are to be kept, so are the others.
_OLDEST: Final = "SELECT id, at, batch FROM fact ORDER BY id LIMIT ?"
_HAD: Final = "SELECT COUNT(*) AS known, MIN(batch) AS batch FROM consumer WHERE name IN (?*)"
_DELETE: Final = "DELETE FROM fact WHERE id IN (?*)"


class _OldFact(NamedTuple):
    id: int
    at: float
    batch: int | None


class _Had(NamedTuple):
    known: int
    batch: int | None


def forget_old_facts(term: Term, *, keep_s: float, consumers: Collection[str]) -> str:
    """Remove facts older than `keep_s`, none that one of these consumers has not had."""
    limit = term.now() - keep_s

    def find(most: int) -> list[int]:
        had = _had_by_all(consumers)
        found = rows(_OldFact, _OLDEST, most)
        return [one.id for one in found if one.at < limit and one.batch is not None and one.batch <= had]

    removed = remove_in_slices(term, find, lambda ids: change(_DELETE, ids))
    return f"removed {removed} old facts" if removed else ""


def _had_by_all(consumers: Collection[str]) -> int:
    """The last batch that every consumer has had; 0 while one of them has not even begun."""
    if not consumers:
        return last_batch()
    (had,) = rows(_Had, _HAD, list(consumers))
    return had.batch or 0 if had.known == len(consumers) else 0
