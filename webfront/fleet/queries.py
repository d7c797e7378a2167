"""What pages and the API show of nodes and plays."""

from __future__ import annotations

from typing import Any

import peewee

from webfront.database.models import Attempt, Node, Play, PlayEvent
from webfront.errors import NotFound
from webfront.fleet.states import NodeState
from webfront.fleet.views import NodeView, PlayEventView, PlayProgress, PlayView
from webfront.jobs.states import LIVE_ATTEMPTS


def list_nodes() -> tuple[NodeView, ...]:
    """Every node that is not removed, by name."""
    busy = _busy()
    rows = Node.select().where(Node.state != NodeState.REMOVED).order_by(Node.name)
    return tuple(node_view(row, busy.get(row.name, 0)) for row in rows)


def get_node(name: str) -> NodeView:
    """One node, a removed one too. NotFound."""
    row = find_node(name)
    return node_view(row, _busy(name).get(name, 0))


def find_node(name: str) -> Node:
    row = Node.get_or_none(Node.name == name)
    if row is None:
        raise NotFound(f"There is no node {name[:40]}.")
    found: Node = row
    return found


def list_plays(node: str, limit: int) -> tuple[PlayView, ...]:
    """The newest plays about a node, newest first."""
    rows = Play.select().where(Play.node == node).order_by(Play.id.desc()).limit(max(1, min(limit, 100)))
    return tuple(play_view(row) for row in rows)


def get_play(play_id: int, after: int) -> PlayProgress:
    """A play and its steps numbered above `after`. NotFound."""
    row = Play.get_or_none(Play.id == play_id)
    if row is None:
        raise NotFound(f"There is no play {play_id}.")
    # The play before its events: one that is over here has all of them below.
    view = play_view(row)
    events = PlayEvent.select().where((PlayEvent.play == row) & (PlayEvent.number > after)).order_by(PlayEvent.number)
    return PlayProgress(
        view, tuple(PlayEventView(one.number, one.at, one.step, one.state, one.detail) for one in events)
    )


def node_view(row: Node, busy: int = 0) -> NodeView:
    return NodeView(
        name=row.name,
        state=row.state,
        state_reason=row.state_reason,
        connection=row.connection,
        address=row.address,
        labels=tuple(row.labels),
        slots=row.slots,
        busy=busy,
        arch=row.arch,
        agent_version=row.agent_version,
        metrics=row.metrics,
        score=row.score,
        last_heartbeat_at=row.last_heartbeat_at,
        registered_by=row.registered_by,
        created_at=row.created_at,
        ssh_user=row.ssh_user,
        ssh_port=row.ssh_port,
        host_key=row.host_key,
    )


def play_view(row: Play) -> PlayView:
    return PlayView(
        id=row.id,
        verb=row.verb,
        node=row.node,
        state=row.state,
        requested_by=row.requested_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        failed_step=row.failed_step,
        message=row.message,
        advice=row.advice,
    )


def _busy(node: str | None = None) -> dict[str, int]:
    query: Any = Attempt.select(Attempt.node, peewee.fn.COUNT(Attempt.id)).where(Attempt.state.in_(LIVE_ATTEMPTS))
    if node is not None:
        query = query.where(Attempt.node == node)
    return dict(query.group_by(Attempt.node).tuples())
