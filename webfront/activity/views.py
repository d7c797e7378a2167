"""What the page of the platform's activity and the API show."""

from __future__ import annotations

import msgspec

from webfront.activity.facts import Fact


class FactPage(msgspec.Struct, frozen=True):
    """Facts, newest first."""

    facts: tuple[Fact, ...]
    older: int | None
    """What to ask `before` for the facts that come next; None when these were the oldest."""


class ConsumerView(msgspec.Struct, frozen=True):
    """How far a consumer of facts has come."""

    name: str
    behind: int
    """How many facts it has not had; 10001 for more than ten thousand."""
    failing_since: float | None
    error: str
    tries: int
    """How often the batch that comes next has failed."""
    next_try_at: float | None


class ChoreView(msgspec.Struct, frozen=True):
    """The last run of a chore."""

    name: str
    last_at: float
    took_s: float
    told: str
    """What it did; empty when there was nothing to do."""
    failing_since: float | None
    error: str
    next_at: float
