"""The states of a delivery, what may follow what, and the one function that changes them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

from webfront.database.models import Delivery


class DeliveryState(enum.StrEnum):
    PENDING = "pending"
    """To be sent, for the first time or again."""
    DELIVERED = "delivered"
    """The target has answered with 2xx."""
    FAILED = "failed"
    """Given up after a day."""


TRANSITIONS: Final[Mapping[DeliveryState, frozenset[DeliveryState]]] = {
    # A pending one may be begun anew: then it is sent at once, and for another day.
    DeliveryState.PENDING: frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING}),
    DeliveryState.DELIVERED: frozenset({DeliveryState.PENDING}),
    DeliveryState.FAILED: frozenset({DeliveryState.PENDING}),
}


def change_deliveries(to: DeliveryState, *which: Any, **fields: Any) -> int:
    """Move the deliveries for which these conditions hold to another state, where their present one allows it.

    One conditional update: of two that happen at once, each sees what the other left. Returns how many changed.
    """
    sources = [state for state, following in TRANSITIONS.items() if to in following]
    changed: int = Delivery.update(state=to.value, **fields).where(Delivery.state.in_(sources), *which).execute()
    return changed
