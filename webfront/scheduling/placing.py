"""Placing queued jobs while nodes have room, and saying why a job still waits. Within the scheduler's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from webfront.database.models import Attempt, Job
from webfront.database.rows import locked, many, rows, value
from webfront.fleet.states import NodeState
from webfront.jobs import lifecycle
from webfront.jobs.lifecycle import JobRecord
from webfront.jobs.states import AttemptState, JobState
from webfront.scheduling.constraints import Candidate, Demand, could_ever_take
from webfront.scheduling.ledger import JOB_COLUMNS, Ledger, OrderRow, QueuedRow, job_record
from webfront.scheduling.looks import note_look
from webfront.scheduling.mirror import Mirror
from webfront.scheduling.placement import decide
from webfront.scheduling.versions import Versions

EXCLUSION_S: Final = 60.0
"""When no other node could ever take a job, one that lost or rejected it is tried again after this long."""

_ROUNDS: Final = 10
_FURTHER: Final = 50
_EXPLAINED: Final = 500
"""How many of the oldest waiting jobs are told why they wait."""

_TOP: Final = "SELECT MAX(priority) FROM job WHERE state = ?"
_NEXT: Final = "SELECT MAX(priority) FROM job WHERE state = ? AND priority < ?"
_WAITING: Final = (
    "SELECT id, app_version_id, excluded_nodes, waiting_reason FROM job WHERE state = ? ORDER BY id LIMIT ?"
)
_NEXT_IN_LINE: Final = "it is placed as soon as the jobs before it are"
_REASON: Final = "UPDATE job SET waiting_reason = ? WHERE id = ? AND state = ?"


class _WaitingRow(NamedTuple):
    id: str
    app_version_id: int
    excluded_nodes: str
    waiting_reason: str


def place_queued(ledger: Ledger, mirror: Mirror, versions: Versions, now: float) -> None:
    """Place the queued jobs of highest priority, the oldest first, while a node has room for them.

    A job that no node can take now does not hold up those behind it.
    """
    priority = _highest()
    if priority is None:
        return
    mirror.refresh_states()
    placing = _Placing(ledger, mirror, versions, now)
    blocked = _Blocked()
    for number in range(_ROUNDS):
        # The first round mostly finds what fits; where it does not, the next ones look further.
        room = placing.room()
        limit = room + number * _FURTHER
        if room == 0:
            return
        found = list(_pick(limit, priority, blocked))
        versions.load(row.app_version_id for row in found)
        for row in found:
            job = job_record(row)
            if blocked.holds(job):
                continue
            if lifecycle.cancel_queued(job, now):
                ledger.jobs[job.id] = job
            elif not placing.place(job, row.input, row.parameters):
                blocked.add(job)
                continue
            # Its row still says queued until the ledger is flushed.
            blocked.jobs.add(job.id)
        if len(found) < limit:
            return


class _Placing:
    """The nodes as they fill up while one transaction places jobs."""

    def __init__(self, ledger: Ledger, mirror: Mirror, versions: Versions, now: float) -> None:
        self._ledger = ledger
        self._mirror = mirror
        self._versions = versions
        self._now = now
        self._views = mirror.views()
        self._held = {name: mirror.on_node(name) for name in self._views}

    def room(self) -> int:
        """How many attempts the active nodes together can still hold."""
        return sum(max(0, one.room - one.live) for one in self._views.values() if one.state == NodeState.ACTIVE)

    def place(self, job: JobRecord, input_path: str | None, parameters: str) -> bool:
        """Place the job on the best node. False when none can take it now."""
        demand = self._versions[job.app_version_id].demand
        if job.excluded_nodes:
            demand = msgspec.structs.replace(demand, excluded=tuple(job.excluded_nodes))
        placement = decide(demand, list(self._views.values()))
        if placement.node is None:
            return False
        attempt = lifecycle.place(job, placement.node, self._now)
        if attempt is None:
            return False
        self._ledger.add(job, attempt, placement)
        self._ledger.orders.append(
            OrderRow(
                job.id, attempt.number, attempt.node, job.app_version_id, input_path, msgspec.json.decode(parameters)
            )
        )
        self._mirror.placed(attempt, job.app_version_id)
        held = self._held[attempt.node]
        held.append(self._mirror.live[job.id, attempt.number])
        self._views[attempt.node] = self._mirror.view(self._mirror.nodes[attempt.node], held)
        return True


class _Blocked:
    """What this round of placing need not look at again."""

    def __init__(self) -> None:
        self.versions: set[int] = set()
        self.jobs: set[str] = set()

    def holds(self, job: JobRecord) -> bool:
        return job.app_version_id in self.versions or job.id in self.jobs

    def add(self, job: JobRecord) -> None:
        """No node can take it: so none can take another job of its version, unless only its own exclusions say so."""
        if job.excluded_nodes:
            self.jobs.add(job.id)
        else:
            self.versions.add(job.app_version_id)


def _highest() -> int | None:
    priority: int | None = value(_TOP, JobState.QUEUED)
    return priority


def _pick(limit: int, highest: int, blocked: _Blocked) -> Iterator[QueuedRow]:
    """Queued jobs by priority and age. One query for each priority: so the index gives the order, without a sort."""
    priority: int | None = highest
    conditions = ""
    values: list[Any] = []
    if blocked.versions:
        conditions += " AND j.app_version_id NOT IN (?*)"
        values.append(list(blocked.versions))
    if blocked.jobs:
        conditions += " AND j.id NOT IN (?*)"
        values.append(list(blocked.jobs))
    columns = f"{JOB_COLUMNS}, j.input, j.parameters"
    sql = f"SELECT {columns} FROM job j WHERE j.state = ? AND j.priority = ?{conditions} ORDER BY j.id LIMIT ?"  # noqa: S608
    while priority is not None and limit > 0:
        found = rows(QueuedRow, locked(sql), JobState.QUEUED, priority, *values, limit)
        yield from found
        limit -= len(found)
        if limit > 0:
            priority = value(_NEXT, JobState.QUEUED, priority)


def explain_waiting(mirror: Mirror, versions: Versions, now: float) -> None:
    """Tell the oldest waiting jobs why they wait, and lift exclusions that would let a job wait for ever.

    That it has looked, and when, stands in the database too: so whoever asks knows how old its word is.
    """
    waiting = rows(_WaitingRow, _WAITING, JobState.QUEUED, _EXPLAINED)
    if not waiting:
        return
    versions.load(row.app_version_id for row in waiting)
    views = list(mirror.views().values())
    known: dict[tuple[int, str], str] = {}
    changed = []
    for job_id, version_id, excluded_text, reason in waiting:
        key = (version_id, excluded_text)
        if key not in known:
            excluded = tuple(msgspec.json.decode(excluded_text))
            demand = msgspec.structs.replace(versions[version_id].demand, excluded=excluded)
            placement = decide(demand, views)
            known[key] = placement.sentence[: lifecycle.REASON_LENGTH] if placement.node is None else _NEXT_IN_LINE
        if excluded_text != "[]":
            _lift_exclusions(job_id, versions[version_id].demand, msgspec.json.decode(excluded_text), views, now)
        if known[key] != reason:
            changed.append((known[key], job_id, JobState.QUEUED.value))
    many(_REASON, changed)
    note_look(now)


def _lift_exclusions(job_id: str, demand: Demand, excluded: list[str], views: list[Candidate], now: float) -> None:
    """Let the job go back to a node that failed it, when that was a while ago and no other node could ever take it."""
    still = msgspec.structs.replace(demand, excluded=tuple(excluded))
    if any(could_ever_take(still, view) for view in views):
        return
    recent = {
        row.node
        for row in Attempt.select(Attempt.node).where(
            Attempt.job == job_id,
            Attempt.state == AttemptState.ENDED.value,
            # What seems to end only later did so before the clock was set back.
            Attempt.ended_at.between(now - EXCLUSION_S, now),
        )
    }
    healthy = {view.name for view in views if could_ever_take(demand, view)}
    kept = [name for name in excluded if name in recent or name not in healthy]
    if kept != excluded:
        Job.update(excluded_nodes=kept).where(Job.id == job_id, Job.state == JobState.QUEUED.value).execute()
