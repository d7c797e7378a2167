"""How long deliveries that came to an end are kept, to be looked at and sent again."""

from __future__ import annotations

from typing import Final

from webfront.activity.slices import remove_in_slices
from webfront.activity.term import Term
from webfront.database.models import Delivery
from webfront.webhooks.backoff import DAY_S
from webfront.webhooks.states import DeliveryState

KEEP_S: Final = {DeliveryState.DELIVERED: 7 * DAY_S, DeliveryState.FAILED: 30 * DAY_S}


def forget_old_deliveries(term: Term) -> str:
    """Remove the deliveries that ended long ago."""
    removed = sum(_forget(term, state, term.now() - keep_s) for state, keep_s in KEEP_S.items())
    return f"removed {removed} old deliveries" if removed else ""


def _forget(term: Term, state: DeliveryState, before: float) -> int:
    old = Delivery.select(Delivery.id).where(Delivery.state == state, Delivery.ended_at < before)

    def remove(ids: list[str]) -> int:
        # With the state once more: one may have been sent again in between.
        return int(Delivery.delete().where(Delivery.id.in_(ids), Delivery.state == state).execute())

    return remove_in_slices(term, lambda most: [row.id for row in old.limit(most)], remove)
