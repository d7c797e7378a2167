"""How long facts are kept: what people did longer than what the platform brought about; none that is still unread."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from webfront.activity.facts import AUDIT
from webfront.activity.numbering import last_batch
from webfront.activity.term import Term
from webfront.changeable.table import AUDIT_DAYS, FACTS_DAYS
from webfront.changeable.values import Values
from webfront.database.rows import change, rows, value
from webfront.retention.runs import Run, cursor, go_on, move

DAY_S: Final = 86_400.0
_SLICE: Final = 500
_OTHERS: Final = "facts"

# Ids grow with time: what is old comes first, and once the oldest ones are to be kept, so are the others.
_OLDEST: Final = "SELECT id, at, batch, kind FROM fact WHERE id > ? ORDER BY id LIMIT ?"
_HAD: Final = "SELECT COUNT(*) AS known, MIN(batch) AS batch FROM consumer WHERE name IN (?*)"
_DELETE: Final = "DELETE FROM fact WHERE id IN (?*)"
_UNREAD: Final = "SELECT MIN(at) FROM fact WHERE batch > ?"
_NEW: Final = "SELECT MIN(at) FROM fact WHERE batch IS NULL"
_UNREAD_OF_JOB: Final = (
    "SELECT id FROM fact WHERE at = ? AND kind = ? AND job = ? AND (batch IS NULL OR batch > ?) LIMIT 1"
)


class _OldFact(NamedTuple):
    id: int
    at: float
    batch: int | None
    kind: str


class _Had(NamedTuple):
    known: int
    batch: int | None


def forget_old_facts(term: Term, *, values: Values, consumers: Collection[str]) -> str:
    """The chore: remove old facts, none that one of these consumers has not had."""
    days = values.get(FACTS_DAYS)
    others = Run("facts", days, term)
    _forget(term, others, days, consumers, with_audit=False)
    longer = max(days, values.get(AUDIT_DAYS))
    audit = Run("facts of what people did", longer, term)
    _forget(term, audit, longer, consumers, with_audit=True)
    return ", ".join(filter(None, (others.tell(), audit.tell())))


def _forget(term: Term, run: Run, days: int, consumers: Collection[str], *, with_audit: bool) -> None:
    """Come to facts of that age: from the oldest, or where those stay that are kept longer, from the last one seen."""
    limit = term.now() - days * DAY_S
    while True:
        had = had_by_all(consumers)
        after = 0 if with_audit else int(cursor(_OTHERS).at)
        seen = rows(_OldFact, _OLDEST, after, _SLICE)
        old = [one for one in seen if one.at < limit and one.batch is not None and one.batch <= had]
        going = [one.id for one in old if with_audit or one.kind not in AUDIT]
        if old:
            with term.transaction():
                if going:
                    run.removed(change(_DELETE, going))
                if not with_audit:
                    # Not past one that is still to be read: they are few, and stand where the new ones are.
                    move(_OTHERS, float(_passed(seen, old)))
        if len(old) < _SLICE or not go_on(term):
            break


def _passed(seen: list[_OldFact], old: list[_OldFact]) -> int:
    """The id up to which all are old."""
    chosen = {one.id for one in old}
    last = 0
    for one in seen:
        if one.id not in chosen:
            break
        last = one.id
    return last or seen[0].id - 1


def had_by_all(consumers: Collection[str]) -> int:
    """The last batch that every consumer has had; 0 while one of them has not even begun."""
    if not consumers:
        return last_batch()
    (had,) = rows(_Had, _HAD, list(consumers))
    return had.batch or 0 if had.known == len(consumers) else 0


def read_until(consumers: Collection[str], now: float) -> float:
    """The moment before which nothing happened that one of these consumers has still to read of."""
    waiting = (value(_UNREAD, had_by_all(consumers)), value(_NEW))
    return min([now, *(float(at) for at in waiting if at is not None)])


def is_read(consumers: Collection[str], kind: str, job: str, at: float) -> bool:
    """Whether all of these have had the facts of this kind that tell of this job at that moment."""
    return value(_UNREAD_OF_JOB, at, kind, job, had_by_all(consumers)) is None
