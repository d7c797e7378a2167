"""How long deliveries that came to an end are kept, to be looked at and sent again."""

from __future__ import annotations

from typing import Final

from webfront.activity.term import Term
from webfront.database.models import Delivery
from webfront.webhooks.backoff import DAY_S
from webfront.webhooks.states import DeliveryState

KEEP_S: Final = {DeliveryState.DELIVERED: 7 * DAY_S, DeliveryState.FAILED: 30 * DAY_S}
_SLICE: Final = 500
"""Removed in one transaction, so that others need not wait long."""


def forget_old_deliveries(term: Term) -> str:
    """Remove the deliveries that ended long ago."""
    removed = 0
    for state, keep_s in KEEP_S.items():
        old = Delivery.select(Delivery.id).where(Delivery.state == state, Delivery.ended_at < term.now() - keep_s)
        while not term.over.is_set():
            ids = [row.id for row in old.limit(_SLICE)]
            if ids:
                with term.transaction():
                    # With the conditions once more: one may have been sent again in between.
                    which = (Delivery.id.in_(ids), Delivery.state == state)
                    removed += Delivery.delete().where(*which).execute()
            if len(ids) < _SLICE:
                break
    return f"removed {removed} old deliveries" if removed else ""
