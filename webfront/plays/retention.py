"""How long plays are kept, with their steps. One that has not ended is never removed."""

from __future__ import annotations

from typing import Final, NamedTuple

from webfront.activity.slices import SLICE
from webfront.activity.term import Term
from webfront.changeable.table import PLAYS_DAYS
from webfront.changeable.values import Values
from webfront.database.rows import change, rows
from webfront.retention.facts import DAY_S
from webfront.retention.runs import Run, go_on

_STEPS: Final = (
    "SELECT e.id FROM play_event e JOIN play p ON p.id = e.play_id WHERE p.finished_at < ? ORDER BY e.id LIMIT ?"
)
_DELETE_STEPS: Final = "DELETE FROM play_event WHERE id IN (?*)"
_PLAYS: Final = "SELECT id FROM play WHERE finished_at < ? ORDER BY id LIMIT ?"
_DELETE: Final = "DELETE FROM play WHERE id IN (?*)"


class _Id(NamedTuple):
    id: int


def forget_old_plays(term: Term, *, values: Values) -> str:
    """The chore: first the steps, of which there are many, then the plays. Killed in between, those go next time."""
    days = values.get(PLAYS_DAYS)
    run = Run("plays", days, term)
    before = term.now() - days * DAY_S
    for find, delete in ((_STEPS, _DELETE_STEPS), (_PLAYS, _DELETE)):
        while old := [row.id for row in rows(_Id, find, before, SLICE)]:
            with term.transaction():
                removed = change(delete, old)
                if find is _PLAYS:
                    run.removed(removed)
            if not go_on(term):
                return run.tell()
    return run.tell()
