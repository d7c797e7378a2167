"""What happens in a history: drawn from its seed, before anything runs."""

from __future__ import annotations

import dataclasses
import enum
import random
from typing import Final

from node_scripts.journal import Key
from wire.messages import Cause

from .machines import Fate
from .network import Weather

FAULTS_S: Final = 30.0
"""For how long there are faults, from the beginning; jobs are submitted meanwhile."""

_MOST_FAULTS: Final = 5
_FOR_EVER_S: Final = 1e6
"""Such an app ends when it is cancelled."""
_LONGEST_JUMP_S: Final = 7200.0


class Break(enum.StrEnum):
    """A kind of fault."""

    AGENT_DIES = "agent dies"
    SCHEDULER_DIES = "scheduler dies"
    CONNECTION_RESETS = "connection resets"
    CUT = "cut"
    BROKER_RESTARTS = "broker restarts"
    CLOCK_JUMPS = "clock jumps"
    QUEUE_PURGED = "queue purged"
    NODE_GOES = "node goes"
    """For good, while another one stays."""
    CONTROLLER_STALLS = "controller stalls"
    """The schedulers and the broker, for as long as by SIGSTOP; what is on its way comes afterwards."""
    STOPPED = "stopped"
    """A process, as by SIGSTOP."""
    BROKER_BLOCKS = "broker blocks"
    """It takes nothing of what is published: its disk is full."""
    DISK_FULL = "disk full"
    """A node's, which refuses what it is given for as long."""


_SHARES: Final = {
    Break.AGENT_DIES: 6,
    Break.SCHEDULER_DIES: 4,
    Break.CONNECTION_RESETS: 3,
    Break.CUT: 4,
    Break.BROKER_RESTARTS: 2,
    Break.CLOCK_JUMPS: 2,
    Break.QUEUE_PURGED: 3,
    Break.NODE_GOES: 3,
    Break.CONTROLLER_STALLS: 2,
    Break.STOPPED: 4,
    Break.BROKER_BLOCKS: 2,
}
"""Of the faults that are drawn one by one. Full disks are drawn apart, so that a seed is otherwise what it was."""

_FULL_SHARE: Final = 0.4


@dataclasses.dataclass(frozen=True)
class Fault:
    at: float
    kind: Break
    where: int
    """Which process or node; taken modulo how many there are."""
    seconds: float
    """For how long: until it is started again, or until the way is open."""
    fuse: int
    """How many effects the process still has before it dies."""
    way: str = "both"
    """Which way is cut: `up` to the broker, `down` from it, or `both`."""
    takes_apps: bool = False
    takes_journal: bool = False
    jump_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class Submission:
    job: str
    at: float
    version: int
    """Of two: 1 is tried again where the manifest says nothing of it, 2 also after the app's own error."""
    cancel_at: float | None


@dataclasses.dataclass(frozen=True)
class Plan:
    seed: int
    slots: tuple[int, ...]
    """Of each node."""
    schedulers: int
    weather: Weather
    jobs: tuple[Submission, ...]
    faults: tuple[Fault, ...]

    def fate(self, key: Key) -> Fate:
        """What becomes of this attempt."""
        rng = random.Random(f"{self.seed} {key}")
        cancelled = any(job.job == key[0] and job.cancel_at is not None for job in self.jobs)
        return Fate(
            cause=rng.choices([Cause.OK, Cause.APP_ERROR, Cause.TIMEOUT, Cause.OUT_OF_MEMORY], [12, 3, 1, 1])[0],
            seconds=_FOR_EVER_S
            if cancelled and rng.random() < 0.5
            else rng.choice([0.0, rng.random(), rng.random() * 20]),
            lines=rng.choice([0, 1, rng.randrange(40)]),
            prepare_s=rng.choice([0.0, rng.random() * 3]),
            refused=rng.random() < 0.03,
            unstorable=rng.choice([0] * 9 + [2]),
        )


def draw(seed: int) -> Plan:
    """The plan of this seed."""
    rng = random.Random(f"plan {seed}")

    def sometimes(most: float) -> float:
        return rng.random() * most if rng.random() < 0.5 else 0.0

    jobs = tuple(_submission(rng, f"J{number}") for number in range(1, rng.randint(2, 6)))
    return Plan(
        seed=seed,
        slots=tuple(rng.randint(1, 2) for _ in range(rng.randint(1, 3))),
        schedulers=rng.choice([1, 1, 2]),
        weather=Weather(
            latency_s=0.002 * 100 ** rng.random(),
            lost=sometimes(0.4),
            doubled=sometimes(0.2),
            reordered=sometimes(0.2),
            slow=sometimes(0.1),
        ),
        jobs=jobs,
        faults=tuple(
            sorted(
                [*(_fault(rng) for _ in range(rng.randint(0, _MOST_FAULTS))), *_full_disks(seed)],
                key=lambda fault: fault.at,
            )
        ),
    )


def _full_disks(seed: int) -> list[Fault]:
    """Of one node or of all."""
    rng = random.Random(f"disks {seed}")
    if rng.random() >= _FULL_SHARE:
        return []
    at, seconds = rng.random() * FAULTS_S * 0.8, 1 + rng.random() * FAULTS_S
    nodes = range(3) if rng.random() < 0.5 else [rng.randrange(3)]
    return [Fault(at, Break.DISK_FULL, where, seconds, 0) for where in nodes]


def _submission(rng: random.Random, job: str) -> Submission:
    at = rng.random() * FAULTS_S * 0.7
    return Submission(
        job=job,
        at=at,
        version=rng.choice([1, 1, 2]),
        cancel_at=at + rng.random() * FAULTS_S if rng.random() < 0.2 else None,
    )


def _fault(rng: random.Random) -> Fault:
    return Fault(
        at=rng.random() * FAULTS_S,
        kind=rng.choices(list(_SHARES), list(_SHARES.values()))[0],
        where=rng.randrange(6),
        seconds=0.1 + 60 * rng.random() ** 3,
        fuse=rng.randrange(12),
        way=rng.choice(["up", "down", "both"]),
        takes_apps=rng.random() < 0.3,
        takes_journal=rng.random() < 0.3,
        jump_s=rng.choice([-1, 1]) * _LONGEST_JUMP_S * rng.random() ** 2,
    )
