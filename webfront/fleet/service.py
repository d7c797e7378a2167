"""What may be asked of nodes without a play: to see them, to give one work again, to have one measure itself."""

from __future__ import annotations

from collections.abc import Callable

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.database.connection import transaction
from webfront.errors import Conflict
from webfront.fleet import rows
from webfront.fleet.attempts import recent_attempts
from webfront.fleet.queries import get_node, list_nodes
from webfront.fleet.states import ACTIVATED_FROM, MEASURED_IN, NodeState, change_node
from webfront.fleet.views import NodeView


class FleetService:
    def __init__(self, ask_benchmark: Callable[[str], None]) -> None:
        """`ask_benchmark` sends a node the request; it raises `BrokerUnavailable`."""
        self._ask_benchmark = ask_benchmark

    nodes = staticmethod(list_nodes)
    node = staticmethod(get_node)
    attempts = staticmethod(recent_attempts)

    def activate(self, account: Account, name: str) -> NodeView:
        """A drained or set-aside node takes work again. Conflict in any other state, and while a play runs."""
        with transaction():
            row = rows.hold(name)
            require(account, Act.CHANGE_NODE, row)
            rows.refuse_while_playing(row)
            if not change_node(row.name, NodeState.ACTIVE, f"activated by {account.name}", only_from=ACTIVATED_FROM):
                raise Conflict(f"{row.name} is {row.state}; only a drained node, or one set aside, is activated.")
            deeds.tell(Kind.NODE_ACTIVATE, user=account.name, node=name)
        return get_node(name)

    def benchmark(self, account: Account, name: str) -> NodeView:
        """Ask the node to measure itself again; the figure comes with a later heartbeat. Conflict, Unavailable."""
        row = rows.find(name)
        require(account, Act.CHANGE_NODE, row)
        if row.state not in MEASURED_IN:
            raise Conflict(f"{row.name} is {row.state}: there is no agent to ask.")
        self._ask_benchmark(row.name)
        return get_node(name)
