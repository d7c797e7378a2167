"""Placing queued jobs while nodes have room, and saying why a job still waits. Within the scheduler's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from webfront.database.models import Attempt, Job
from webfront.jobs import lifecycle
from webfront.jobs.lifecycle import AttemptState, JobState
from webfront.scheduling import bulk
from webfront.scheduling.fleet import Fleet, Live
from webfront.scheduling.ledger import Ledger, OrderRow, job_record
from webfront.scheduling.placement import NodeView, Wish, could_ever_take, decide
from webfront.scheduling.versions import Versions

EXCLUSION_S: Final = 60.0
"""When no other node could ever take a job, one that lost or rejected it is tried again after this long."""

_ROUNDS: Final = 10
_SPARE: Final = 20
_EXPLAINED: Final = 500
"""How many of the oldest waiting jobs are told why they wait."""

_COLUMNS: Final = (
    "id, app_version_id, state, attempts, cancel_requested, excluded_nodes, cause, message, waiting_reason, "
    "finished_at, input, parameters"
)
_TOP: Final = "SELECT MAX(priority) FROM job WHERE state = ?"
_NEXT: Final = "SELECT MAX(priority) FROM job WHERE state = ? AND priority < ?"
_WAITING: Final = (
    "SELECT id, app_version_id, excluded_nodes, waiting_reason FROM job WHERE state = ? ORDER BY id LIMIT ?"
)
_NEXT_IN_LINE: Final = "it is placed as soon as the jobs before it are"
_REASON: Final = "UPDATE job SET waiting_reason = ? WHERE id = ? AND state = ?"


def place_queued(ledger: Ledger, fleet: Fleet, versions: Versions, now: float) -> None:
    """Place the queued jobs of highest priority, the oldest first, while a node has room for them.

    A job that no node can take now does not hold up those behind it.
    """
    if not any(node.state is lifecycle.NodeState.ACTIVE for node in fleet.nodes.values()):
        return
    views: dict[str, NodeView] | None = None
    held: dict[str, list[Live]] = {}
    blocked = _Blocked()
    for _ in range(_ROUNDS):
        if views is None:
            priority = _highest()
            if priority is None:
                return
            views = fleet.views()
            held = {name: fleet.on_node(name) for name in views}
        room = sum(max(0, view.room - view.live) for view in views.values() if view.state == "active")
        if room == 0:
            return
        found = list(_pick(room + _SPARE, blocked))
        if not found:
            return
        versions.load(row[1] for row in found)
        for row in found:
            job = job_record(row[:10])
            if blocked.holds(job):
                continue
            if lifecycle.cancel_queued(job, now):
                ledger.jobs[job.id] = job
                blocked.add_job(job)
                continue
            version = versions[job.app_version_id]
            wish = version.wish
            if job.excluded_nodes:
                wish = msgspec.structs.replace(wish, excluded=tuple(job.excluded_nodes))
            placement = decide(wish, list(views.values()))
            if placement.node is None:
                blocked.add(job)
                continue
            attempt = lifecycle.place(job, placement.node, now)
            if attempt is None:
                blocked.add_job(job)
                continue
            ledger.add(job, attempt, placement)
            ledger.orders.append(
                OrderRow(
                    job.id, attempt.number, attempt.node, job.app_version_id, row[10], msgspec.json.decode(row[11])
                )
            )
            fleet.placed(attempt, job.app_version_id)
            held[attempt.node].append(fleet.live[job.id, attempt.number])
            views[attempt.node] = fleet.view(fleet.nodes[attempt.node], held[attempt.node])
            blocked.add_job(job)


class _Blocked:
    """What this round of placing need not look at again."""

    def __init__(self) -> None:
        self.versions: set[int] = set()
        self.jobs: set[str] = set()

    def holds(self, job: lifecycle.JobRecord) -> bool:
        return job.app_version_id in self.versions or job.id in self.jobs

    def add(self, job: lifecycle.JobRecord) -> None:
        """No node can take it: so none can take another job of its version, unless only its own exclusions say so."""
        if job.excluded_nodes:
            self.jobs.add(job.id)
        else:
            self.versions.add(job.app_version_id)

    def add_job(self, job: lifecycle.JobRecord) -> None:
        self.jobs.add(job.id)


def _highest() -> int | None:
    priority: int | None = bulk.rows(_TOP, JobState.QUEUED.value)[0][0]
    return priority


def _pick(limit: int, blocked: _Blocked) -> Iterator[tuple[Any, ...]]:
    """Queued jobs by priority and age. One query for each priority: so the index gives the order, without a sort."""
    conditions = ""
    values: list[Any] = []
    if blocked.versions:
        conditions += " AND app_version_id NOT IN (?*)"
        values.append(list(blocked.versions))
    if blocked.jobs:
        conditions += " AND id NOT IN (?*)"
        values.append(list(blocked.jobs))
    sql = f"SELECT {_COLUMNS} FROM job WHERE state = ? AND priority = ?{conditions} ORDER BY id LIMIT ?"  # noqa: S608
    priority = _highest()
    while priority is not None and limit > 0:
        found = bulk.rows(bulk.locked(sql), JobState.QUEUED.value, priority, *values, limit)
        yield from found
        limit -= len(found)
        if limit > 0:
            priority = bulk.rows(_NEXT, JobState.QUEUED.value, priority)[0][0]


def explain_waiting(fleet: Fleet, versions: Versions, now: float) -> None:
    """Tell the oldest waiting jobs why they wait, and lift exclusions that would let a job wait for ever."""
    waiting = bulk.rows(_WAITING, JobState.QUEUED.value, _EXPLAINED)
    if not waiting:
        return
    versions.load(row[1] for row in waiting)
    views = list(fleet.views().values())
    known: dict[tuple[int, str], str] = {}
    changed = []
    for job_id, version_id, excluded_text, reason in waiting:
        key = (version_id, excluded_text)
        if key not in known:
            excluded = tuple(msgspec.json.decode(excluded_text))
            wish = msgspec.structs.replace(versions[version_id].wish, excluded=excluded)
            placement = decide(wish, views)
            known[key] = placement.sentence[: lifecycle.REASON_LENGTH] if placement.node is None else _NEXT_IN_LINE
        if excluded_text != "[]":
            _lift_exclusions(job_id, versions[version_id].wish, msgspec.json.decode(excluded_text), fleet, views, now)
        if known[key] != reason:
            changed.append((known[key], job_id, JobState.QUEUED.value))
    bulk.many(_REASON, changed)


def _lift_exclusions(
    job_id: str, wish: Wish, excluded: list[str], fleet: Fleet, views: list[NodeView], now: float
) -> None:
    """Let the job go back to a node that failed it, when that was a while ago and no other node could ever take it."""
    still = msgspec.structs.replace(wish, excluded=tuple(excluded))
    if any(could_ever_take(still, view, _memory(fleet, view.name)) for view in views):
        return
    recent = {
        row.node
        for row in Attempt.select(Attempt.node).where(
            Attempt.job == job_id, Attempt.state == AttemptState.ENDED.value, Attempt.ended_at > now - EXCLUSION_S
        )
    }
    healthy = {view.name for view in views if could_ever_take(wish, view, _memory(fleet, view.name))}
    kept = [name for name in excluded if name in recent or name not in healthy]
    if kept != excluded:
        Job.update(excluded_nodes=kept).where(Job.id == job_id, Job.state == JobState.QUEUED.value).execute()


def _memory(fleet: Fleet, name: str) -> float:
    metrics = fleet.nodes[name].metrics
    return metrics.memory_gb if metrics is not None else 0.0
