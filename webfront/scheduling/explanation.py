"""An explanation of where a job is, and the facts that it is made of."""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from webfront.jobs.states import JobState
from webfront.jobs.views import AttemptView, JobView, Stage
from webfront.scheduling.answers import NodeAnswer, Work, answers
from webfront.scheduling.constraints import Candidate, Demand
from webfront.scheduling.entries import NodeEntry
from webfront.scheduling.placement import Placement, decide

_NO_STAGE: Final = Stage("", 0.0)


class Situation(enum.StrEnum):
    """Where a job is, more closely than its state says."""

    ENDED = "ended"
    BLOCKED = "blocked"
    STOPPING = "stopping"
    UNDECIDED = "undecided"
    NO_NODE = "no_node"
    NOWHERE = "nowhere"
    SET_ASIDE = "set_aside"
    NO_ROOM = "no_room"
    NEXT = "next"
    UNHEARD = "unheard"
    SILENT = "silent"
    UNSENT = "unsent"
    UNCLAIMED = "unclaimed"
    STORING = "storing"
    RUNNING = "running"
    PREPARING = "preparing"
    BEHIND = "behind"
    CLAIMED = "claimed"


class Explanation(msgspec.Struct, frozen=True):
    """Why a job is where it is."""

    situation: Situation
    sentence: str
    waits_for: str
    """Empty once it has ended."""
    since: float | None
    until: float | None
    """When that ends at the latest; None where it is not time that ends it."""
    then: str
    """What happens then, or what ends it."""
    stage: Stage | None = None
    """What its node is at, where that takes long."""
    decision: str = ""
    """Of a queued job, the scheduler's last decision,"""
    decided_at: float | None = None
    """and when it was made."""
    before: int = 0
    """How many jobs are before it in line; 1,000 stands for that many and more."""
    nodes: tuple[NodeAnswer, ...] = ()
    """Of a queued job, every node, those first that come nearest to taking it."""


@dataclass(frozen=True)
class Facts:
    """What an explanation is made of."""

    now: float
    job: JobView
    demand: Demand
    timeout_s: float
    nodes: Mapping[str, NodeEntry]
    views: Mapping[str, Candidate]
    work: Mapping[str, Sequence[Work]]
    """By node."""
    published_at: float | None
    """When the broker confirmed the newest attempt's order."""
    looked_at: float | None
    """When the scheduler last decided about what waits."""
    connected: bool
    """Whether the web front itself reaches the broker."""
    suspect_s: float
    dead_s: float
    before: int = 0
    trouble: str = ""
    """What keeps the broker from working, as the scheduler has last seen it."""
    trouble_at: float | None = None

    @functools.cached_property
    def placement(self) -> Placement:
        return decide(self.demand, list(self.views.values()))

    @functools.cached_property
    def answers(self) -> tuple[NodeAnswer, ...]:
        return answers(self.demand, self.nodes, self.views, self.work)

    @property
    def queued_since(self) -> float:
        last = self.job.attempts[-1] if self.job.attempts else None
        return self.job.submitted_at if last is None or last.ended_at is None else last.ended_at

    @property
    def attempt(self) -> AttemptView:
        """The newest attempt, of a job that has one."""
        return self.job.attempts[-1]

    @property
    def node(self) -> NodeEntry | None:
        """The newest attempt's node; None when it is removed."""
        return self.nodes.get(self.attempt.node)

    @property
    def has_stage(self) -> bool:
        """Whether the node has told what it is at. What it was at before the start is over since then."""
        started = self.attempt.started_at
        return self.attempt.stage is not None and (started is None or self.attempt.stage.since >= started)

    @property
    def stage(self) -> Stage:
        """That stage."""
        return self.attempt.stage or _NO_STAGE

    @property
    def slots(self) -> int:
        return self.node.room(0) if self.node is not None else 1

    def heard_at(self) -> float:
        """When the newest attempt's node was heard last, as far as is known."""
        heard = self.node.last_heartbeat_at if self.node is not None else None
        return self.attempt.placed_at if heard is None else heard

    def first_free(self) -> float | None:
        """When a slot of a node that could take it is free at the latest."""
        known = [one.free_by for one in self.answers if one.free_by is not None and one.constraints == ("slots",)]
        return min(known, default=None)


def as_sentence(words: str) -> str:
    """With a capital and a full stop."""
    return f"{words[0].upper()}{words[1:].rstrip('.')}." if words else ""


def ended_sentence(job: JobView) -> str:
    """How the job ended."""
    said = {JobState.CANCELLED: "It was cancelled"}.get(job.state, f"It {job.state}")
    return f"{said}: {job.message.rstrip('.')}." if job.message else f"{said}."
