"""A machine that an agent acts for without being on it: what the agent's core asks of it in place of its own.

The machine has no agent. Its figures, its reachability and its benchmark come from whoever reaches it; its attempts
from a `Runner` that does.
"""

from __future__ import annotations

from typing import Protocol

from wire.messages import Metrics


class Elsewhere(Protocol):
    """The machine, as its heartbeats tell of it."""

    @property
    def arch(self) -> str:
        """As `platform.machine()` says it there; empty while it is not known."""

    def collect(self) -> Metrics | None:
        """The newest figures, the benchmark's among them; None while the machine counts as out of reach.

        At once, since it is asked at each heartbeat. For None the heartbeat says that the machine is out of reach.
        """

    async def benchmark(self) -> bool:
        """Have the machine measure itself. False when it could not."""
