"""What pages and the API show of nodes."""

from __future__ import annotations

from typing import Any

import peewee

from webfront.database.models import Attempt, Node
from webfront.fleet.refusing import shown
from webfront.fleet.rows import edition, find
from webfront.fleet.states import NodeState
from webfront.fleet.views import NodeView
from webfront.jobs.states import LIVE_ATTEMPTS


def list_nodes() -> tuple[NodeView, ...]:
    """Every node that is not removed, by name."""
    busy = _busy()
    rows = Node.select().where(Node.state != NodeState.REMOVED).order_by(Node.name)
    return tuple(node_view(row, busy.get(row.name, 0)) for row in rows)


def get_node(name: str) -> NodeView:
    """One node, a removed one too. NotFound."""
    row = find(name)
    return node_view(row, _busy(name).get(name, 0))


def node_view(row: Node, busy: int = 0) -> NodeView:
    return NodeView(
        name=row.name,
        state=NodeState(row.state),
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
        agentless=row.agentless,
        isolated=not row.machine or bool(row.machine.get("as_root", True)),
        joined=row.joined,
        edition=edition(row),
        refusals=shown(row.refusals),
    )


def _busy(node: str | None = None) -> dict[str, int]:
    query: Any = Attempt.select(Attempt.node, peewee.fn.COUNT(Attempt.id)).where(Attempt.state.in_(LIVE_ATTEMPTS))
    if node is not None:
        query = query.where(Attempt.node == node)
    return dict(query.group_by(Attempt.node).tuples())
