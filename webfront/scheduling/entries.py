"""What the scheduler holds of a node and of an attempt under way; see `webfront.scheduling.mirror`."""

from __future__ import annotations

import dataclasses

from webfront.fleet.refusing import Told
from webfront.fleet.states import SET_ASIDE, NodeState
from webfront.jobs.states import AttemptState
from wire.messages import Metrics

Key = tuple[str, int]
"""A job's id and an attempt's number."""


@dataclasses.dataclass(slots=True)
class Live:
    """An attempt under way."""

    job: str
    number: int
    node: str
    state: AttemptState
    placed_at: float
    published_at: float | None
    claimed_at: float | None
    started_at: float | None
    app_version_id: int
    orders: int = 0
    """How often the broker has confirmed its order."""


@dataclasses.dataclass(slots=True)
class NodeEntry:
    """A node that is not removed."""

    name: str
    state: NodeState
    state_reason: str
    labels: tuple[str, ...]
    slots: int
    arch: str
    metrics: Metrics | None
    consecutive_failures: int
    last_heartbeat_at: float | None = None
    """As its row says."""
    agent_slots: int | None = None
    """What the agent itself says."""
    metrics_at: float = 0.0
    """When its newest metrics were taken: by its own clock, or as its row says until it is heard here."""
    refusals: tuple[Told, ...] = ()
    """What it refuses for itself."""
    trial: bool = False
    """Set aside before, and now tried out: one attempt at a time until one succeeds."""
    silent_s: float = 0.0
    """For how long it has been silent, as its row says."""
    awaited_s: float = 0.0
    """How long it asked to be waited for; 0 where it did not."""

    @property
    def agentless(self) -> bool:
        """Plays do for it what an agent does elsewhere."""
        return self.metrics is not None and self.metrics.measured_at is not None

    @property
    def is_set_aside(self) -> bool:
        """Whether it gets no work although it is there: it refuses, or failed several jobs in a row."""
        suspect = self.state is NodeState.SUSPECT
        return suspect and (bool(self.refusals) or self.state_reason.startswith(SET_ASIDE))

    def room(self, backlog: int) -> int:
        """How many attempts it may hold."""
        slots = self.slots if self.agent_slots is None else min(self.slots, self.agent_slots)
        return 1 if self.trial else slots + backlog
