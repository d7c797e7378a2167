"""One held attempt, as far as it has come."""

from __future__ import annotations

import asyncio

from node_scripts.journal import Key
from node_scripts.logtail import LogTail
from node_scripts.running.interface import RunningAttempt
from wire.messages import Finished, Order


class Held:
    """Changed by the task that sees the attempt through, and by its cancelling; nobody else keeps state about it."""

    def __init__(self, order: Order, claimed_at: float, slot: int | None = None) -> None:
        self.order = order
        self.claimed_at = claimed_at
        self.key: Key = (order.job, order.attempt)
        self.slot = slot
        self.slot_noted: asyncio.Future[list[int]] | None = None
        """Resolves when the journal has the slot; None if it has it already."""
        self.task: asyncio.Task[None] | None = None
        """Sees it through; None while it waits for a slot."""
        self.preparing = False
        self.launching = False
        self.cancel_wanted = False
        self.running: RunningAttempt | None = None
        self.started_at: float | None = None
        self.tail: LogTail | None = None
        self.finished: Finished | None = None
        self.told = False
        """Its end is on its way to the broker."""

    def fields(self) -> dict[str, object]:
        """The context of a log record."""
        return {"skerry.job": self.order.job, "skerry.attempt": self.order.attempt, "skerry.app": self.order.app.name}
