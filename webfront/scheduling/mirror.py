"""The nodes and the attempts live on them, as the scheduler holds them in memory beside the database.

A mirror of rows: loaded at takeover and after each transaction that came to nothing, refreshed each second, since
playbooks and the web front change nodes too. What changes here is written by `flush`, in the caller's transaction.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from webfront.database.rows import locked, many, rows
from webfront.fleet.refusing import kept
from webfront.fleet.states import NodeState
from webfront.jobs.lifecycle import AttemptRecord
from webfront.jobs.states import LIVE_ATTEMPTS, AttemptState
from webfront.scheduling.constraints import Candidate
from webfront.scheduling.entries import Key, Live, NodeEntry
from webfront.scheduling.score import Pending, Score, kept_metrics, score
from webfront.scheduling.versions import Versions
from webfront.settings import ScoreSettings
from wire.messages import Heartbeat

_NODES: Final = (
    "SELECT name, state, state_reason, labels, slots, arch, metrics, consecutive_failures, last_heartbeat_at, "
    "agent_slots, trial, silent_s, awaited_s, refusals FROM node WHERE state <> ?"
)
_LIVE: Final = (
    "SELECT a.job_id, a.number, a.node, a.state, a.placed_at, a.published_at, a.claimed_at, a.started_at, "
    "j.app_version_id, a.orders FROM attempt a JOIN job j ON j.id = a.job_id WHERE a.state IN (?*)"
)
_BEAT: Final = (
    "UPDATE node SET metrics = ?, score = ?, last_heartbeat_at = ?, arch = ?, agent_version = ?, agent_slots = ?, "
    "trial = ?, silent_s = 0, awaited_s = ? WHERE name = ?"
)
_SILENT: Final = "UPDATE node SET silent_s = ? WHERE name = ?"
_FAILURES: Final = "UPDATE node SET consecutive_failures = ? WHERE name = ?"

_STATES: Final = "SELECT name, state FROM node WHERE state <> ?"

LONGEST_AWAITED_S: Final = 3600.0
"""However long an agent says that it is away for."""

_SILENCE_STEP_S: Final = 1.0


class _NodeRow(NamedTuple):
    name: str
    state: str
    state_reason: str
    labels: str
    slots: int
    arch: str
    metrics: str | None
    consecutive_failures: int
    last_heartbeat_at: float | None
    agent_slots: int | None
    trial: int
    silent_s: float
    awaited_s: float
    refusals: str | None


class _LiveRow(NamedTuple):
    job_id: str
    number: int
    node: str
    state: str
    placed_at: float
    published_at: float | None
    claimed_at: float | None
    started_at: float | None
    app_version_id: int
    orders: int


class _StateRow(NamedTuple):
    name: str
    state: str


class Mirror:
    """The nodes by name, and the live attempts by job and number."""

    def __init__(self, settings: ScoreSettings, backlog: int, versions: Versions) -> None:
        self.nodes: dict[str, NodeEntry] = {}
        self.live: dict[Key, Live] = {}
        self._settings = settings
        self._backlog = backlog
        self._versions = versions
        self._beats: dict[str, tuple[Heartbeat, float]] = {}
        self._failures: set[str] = set()
        self._silent: set[str] = set()

    def load(self) -> None:
        """Read everything again, forgetting what was not written."""
        self._beats.clear()
        self._failures.clear()
        self._silent.clear()
        self.live = {
            (row.job_id, row.number): Live(
                job=row.job_id,
                number=row.number,
                node=row.node,
                state=AttemptState(row.state),
                placed_at=row.placed_at,
                published_at=row.published_at,
                claimed_at=row.claimed_at,
                started_at=row.started_at,
                app_version_id=row.app_version_id,
                orders=row.orders,
            )
            for row in rows(_LiveRow, _LIVE, list(LIVE_ATTEMPTS))
        }
        self._versions.load(one.app_version_id for one in self.live.values())
        self.refresh()

    def refresh(self) -> None:
        """Read the nodes' rows again: others change their states, labels and slots."""
        known = self.nodes
        self.nodes = {}
        for row in rows(_NodeRow, _NODES, NodeState.REMOVED):
            metrics = kept_metrics(row.metrics)
            entry = NodeEntry(
                name=row.name,
                state=NodeState(row.state),
                state_reason=row.state_reason,
                labels=tuple(msgspec.json.decode(row.labels)),
                slots=row.slots,
                arch=row.arch,
                metrics=metrics,
                consecutive_failures=row.consecutive_failures,
                last_heartbeat_at=row.last_heartbeat_at,
                agent_slots=row.agent_slots,
                metrics_at=(metrics.measured_at if metrics is not None else None) or row.last_heartbeat_at or 0.0,
                trial=bool(row.trial),
                silent_s=row.silent_s,
                awaited_s=row.awaited_s,
                refusals=kept(msgspec.json.decode(row.refusals)) if row.refusals else (),
            )
            before = known.get(row.name)
            if before is not None:
                entry.agent_slots = before.agent_slots
                entry.metrics_at = before.metrics_at
                entry.metrics = before.metrics or entry.metrics
                entry.trial = before.trial
            # Activated by a person meanwhile, or set aside again: then the trial is over.
            entry.trial = entry.trial and entry.state is NodeState.ACTIVE and entry.consecutive_failures > 0
            self.nodes[row.name] = entry

    def refresh_states(self) -> None:
        """Make sure of the nodes' states until the transaction ends: none is placed on that is being drained."""
        found = {row.name: row.state for row in rows(_StateRow, locked(_STATES), NodeState.REMOVED)}
        if found != {node.name: node.state for node in self.nodes.values()}:
            self.refresh()

    def beat(self, node: NodeEntry, heartbeat: Heartbeat, now: float) -> None:
        """Take a heartbeat's figures; the newest of a transaction is written."""
        node.metrics = heartbeat.metrics
        measured_at = heartbeat.metrics.measured_at
        node.metrics_at = heartbeat.at if measured_at is None else measured_at
        node.agent_slots = heartbeat.slots
        node.arch = heartbeat.arch or node.arch
        node.silent_s, node.awaited_s = 0.0, min(max(0.0, heartbeat.back_in_s), LONGEST_AWAITED_S)
        self._silent.discard(node.name)
        self._beats[node.name] = (heartbeat, now)

    def note_silence(self, node: NodeEntry, seconds: float) -> None:
        """Note for how long it has been silent, for whoever schedules next."""
        if seconds - node.silent_s >= _SILENCE_STEP_S or seconds < node.silent_s:
            node.silent_s = seconds
            self._silent.add(node.name)

    def count_failures(self, node: NodeEntry, failures: int) -> None:
        """Note how many jobs in a row have failed on it and then succeeded elsewhere."""
        if node.consecutive_failures != failures:
            node.consecutive_failures = failures
            self._failures.add(node.name)

    def placed(self, attempt: AttemptRecord, app_version_id: int) -> None:
        """A new attempt."""
        self.live[attempt.job_id, attempt.number] = Live(
            attempt.job_id,
            attempt.number,
            attempt.node,
            attempt.state,
            attempt.placed_at,
            None,
            None,
            None,
            app_version_id,
        )

    def follow(self, attempt: AttemptRecord) -> None:
        """An attempt has changed."""
        key = (attempt.job_id, attempt.number)
        if attempt.state is AttemptState.ENDED:
            self.live.pop(key, None)
        elif (one := self.live.get(key)) is not None:
            one.state = attempt.state
            one.claimed_at = attempt.claimed_at
            one.started_at = attempt.started_at

    def has_free_slot(self) -> bool:
        """Whether the active nodes together have more slots than live attempts."""
        slots = sum(node.slots for node in self.nodes.values() if node.state is NodeState.ACTIVE)
        return slots > len(self.live)

    def on_node(self, name: str) -> list[Live]:
        """The live attempts of a node."""
        return [one for one in self.live.values() if one.node == name]

    def views(self) -> dict[str, Candidate]:
        """Every node as a placement sees it now."""
        held: dict[str, list[Live]] = {name: [] for name in self.nodes}
        for one in self.live.values():
            if one.node in held:
                held[one.node].append(one)
        return {name: self.view(node, held[name]) for name, node in self.nodes.items()}

    def view(self, node: NodeEntry, held: list[Live]) -> Candidate:
        """A node as a placement sees it, with these attempts live on it."""
        return Candidate(
            name=node.name,
            state=node.state,
            labels=node.labels,
            arch=node.arch,
            slots=node.slots,
            live=len(held),
            room=node.room(self._backlog),
            score=self._score(node, held),
            memory_gb=node.metrics.memory_gb if node.metrics is not None else 0.0,
            agentless=node.agentless,
            aside=node.is_set_aside,
        )

    def flush(self) -> None:
        """Write the newest heartbeats and the counts of failures."""
        beats = []
        for name, (heartbeat, now) in self._beats.items():
            node = self.nodes.get(name)
            if node is None:
                continue  # removed meanwhile
            figures = self._score(node, self.on_node(name))
            beats.append(
                (
                    msgspec.json.encode(heartbeat.metrics).decode(),
                    None if figures is None else msgspec.json.encode(figures).decode(),
                    now,
                    node.arch[:32],
                    heartbeat.agent_version[:32],
                    node.agent_slots,
                    node.trial,
                    node.awaited_s,
                    name,
                )
            )
        many(_BEAT, beats)
        failed = [self.nodes[name] for name in self._failures if name in self.nodes]
        many(_FAILURES, [(node.consecutive_failures, node.name) for node in failed])
        many(_SILENT, [(self.nodes[name].silent_s, name) for name in self._silent if name in self.nodes])
        self._beats.clear()
        self._failures.clear()
        self._silent.clear()

    def _score(self, node: NodeEntry, held: list[Live]) -> Score | None:
        if node.metrics is None:
            return None
        # What had not started when the metrics were taken cannot be in them, and what had, is. The backlog takes
        # nothing while it waits: no more than the slots run at once.
        unseen = [one for one in held if one.started_at is None or one.started_at > node.metrics_at]
        slots = max(0, node.room(0) - (len(held) - len(unseen)))
        cpus = memory = 0.0
        for one in unseen[:slots]:
            resources = self._versions[one.app_version_id].resources
            cpus += resources.cpus
            memory += resources.memory_mb / 1000
        return score(node.metrics, self._settings, Pending(len(unseen), cpus, memory))


def node_names() -> list[str]:
    """The nodes that are not removed."""
    return [row.name for row in rows(_StateRow, _STATES, NodeState.REMOVED)]
