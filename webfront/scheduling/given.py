"""What one turn of the scheduler takes in, and what is to be sent once it is committed."""

from __future__ import annotations

import dataclasses

from webfront.scheduling.entries import Key
from webfront.scheduling.events import Conclusion, Unwanted
from wire.batches import UnreadEvent
from wire.messages import Events, Heartbeat, Order


@dataclasses.dataclass(slots=True)
class Input:
    """What one turn takes in."""

    events: list[tuple[str, Events]] = dataclasses.field(default_factory=list)
    """Each with the node that sent it, in the order they came."""
    unread: list[tuple[str, UnreadEvent]] = dataclasses.field(default_factory=list)
    """Events left out of those, each with the node that sent it."""
    fences: list[str] = dataclasses.field(default_factory=list)
    """Tokens of fences that came back among these events."""
    beats: list[tuple[str, Heartbeat]] = dataclasses.field(default_factory=list)
    conclusions: list[Conclusion] = dataclasses.field(default_factory=list)
    published: list[tuple[Key, float]] = dataclasses.field(default_factory=list)
    """Orders the broker has confirmed, and when."""
    connected: dict[str, bool] = dataclasses.field(default_factory=dict)
    """Of nodes, whether somebody is connected to the broker as them now."""
    blocked: str = ""
    """Why the broker takes nothing of anybody at present, as it says itself; empty while it works."""


@dataclasses.dataclass(slots=True)
class Output:
    """What is to be sent now that the turn is committed."""

    orders: list[tuple[str, Order]] = dataclasses.field(default_factory=list)
    """Each with its node."""
    cancels: set[Unwanted] = dataclasses.field(default_factory=set)
    fences: list[str] = dataclasses.field(default_factory=list)
