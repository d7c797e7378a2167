"""What travels between processes and the broker, and how well it does just now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from .loop import Loop


@dataclasses.dataclass
class Weather:
    """How bad it is just now; all zero is a good day."""

    latency_s: float = 0.004
    lost: float = 0.0
    """The share of transient messages that the broker drops."""
    doubled: float = 0.0
    """The share of messages that it has twice."""
    reordered: float = 0.0
    """The share that overtakes the message before it in its queue."""
    slow: float = 0.0
    """The share that takes up to two seconds on its way."""


@dataclasses.dataclass
class Link:
    """A process's way to the broker and back; cut until these times."""

    up_cut_until: float = 0.0
    down_cut_until: float = 0.0

    def cut(self, now: float) -> bool:
        return now < max(self.up_cut_until, self.down_cut_until)


class Client(Protocol):
    """A process as the network knows it."""

    name: str
    loop: Loop
    link: Link

    @property
    def alive(self) -> bool: ...

    def effect(self) -> bool:
        """It does something that others see. False when it is dead."""


@dataclasses.dataclass(slots=True, eq=False)
class Message:
    exchange: str
    key: str
    body: bytes
    user: str | None
    persistent: bool
    headers: Mapping[str, Any]
    expires_at: float | None = None
    deliveries: int = 0
