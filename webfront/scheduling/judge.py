"""Nodes' states as the scheduler changes them: heard again, silent, dead, set aside, tried again. In a transaction.

A node is **set aside** when several jobs in a row have failed on it and then succeeded on another node: the fault is
the node's then, not the apps'. It is `suspect` with the reason in words, gets no work for a while, and is then tried
with one attempt at a time until one succeeds on it.
"""

from __future__ import annotations

import logging
from typing import Final

from webfront.fleet.states import NodeState, change_node
from webfront.scheduling.entries import NodeEntry
from webfront.scheduling.leases import Leases
from webfront.scheduling.mirror import Mirror

_log = logging.getLogger(__name__)

SET_ASIDE_AFTER: Final = 3
"""Jobs in a row that failed on a node and then succeeded elsewhere."""

REST_S: Final = 300.0
"""How long a node that was set aside gets no work."""

_SET_ASIDE: Final = "set aside"

_AWAITED: Final = (NodeState.REGISTERING, NodeState.UNREGISTERED, NodeState.SUSPECT, NodeState.DEAD)
"""A heartbeat sets such a node active."""

_LEASED: Final = (NodeState.ACTIVE, NodeState.SUSPECT)


class NodeJudge:
    """Changes nodes' states; the reasons are words for the node's page."""

    def __init__(self, mirror: Mirror, leases: Leases, *, suspect_s: float, dead_s: float) -> None:
        self._mirror = mirror
        self._leases = leases
        self._suspect_s = suspect_s
        self._dead_s = dead_s
        self._rests_since: dict[str, float] = {}
        """By node, of those set aside. Not in the database: a new scheduler lets them rest anew."""

    def heard(self, node: NodeEntry) -> None:
        """A heartbeat came: a node that was awaited, silent or dead takes work; one set aside goes on resting."""
        self._leases.heard(node.name)
        if node.state not in _AWAITED:
            return
        if not _set_aside(node):
            self._change(node, NodeState.ACTIVE, "")
        elif not (node.state is NodeState.SUSPECT and node.state_reason.startswith(_SET_ASIDE)):
            # It was silent on top of being set aside. It rests anew; the way there leads through active.
            failures = node.consecutive_failures
            if self._change(node, NodeState.ACTIVE, ""):
                self._set_aside(node, failures)

    def sweep(self, now: float) -> list[str]:
        """Judge every node by its silence. Returns the names of those whose attempts are lost."""
        lost = []
        for node in self._mirror.nodes.values():
            silence = self._leases.silence(node.name)
            if silence >= self._dead_s:
                lost.append(node.name)
                if node.state in _LEASED:
                    self._change(node, NodeState.DEAD, f"no heartbeat for {silence:.0f} s")
            elif silence >= self._suspect_s and node.state is NodeState.ACTIVE:
                self._change(node, NodeState.SUSPECT, f"no heartbeat for {silence:.0f} s")
            elif node.state is NodeState.SUSPECT and _set_aside(node) and self._rested(node, now):
                self._try_again(node)
            if node.state is not NodeState.SUSPECT:
                self._rests_since.pop(node.name, None)
        return lost

    def succeeded(self, name: str) -> None:
        """A job succeeded on this node: whatever failed there before was not the node."""
        node = self._mirror.nodes.get(name)
        if node is None:
            return
        self._mirror.count_failures(node, 0)
        if node.trial:
            node.trial = False
            _log.info("node %s works again", name, extra={"event.action": "node.trial", "skerry.node": name})

    def blame(self, name: str) -> None:
        """A job that failed on this node has succeeded elsewhere."""
        node = self._mirror.nodes.get(name)
        if node is None:
            return
        self._mirror.count_failures(node, node.consecutive_failures + 1)
        if _set_aside(node) and node.state is NodeState.ACTIVE:
            self._set_aside(node, node.consecutive_failures)

    def _rested(self, node: NodeEntry, now: float) -> bool:
        # A clock that was set back must not make the rest longer.
        return not 0 <= now - self._rests_since.setdefault(node.name, now) < REST_S

    def _set_aside(self, node: NodeEntry, failures: int) -> None:
        reason = f"{_SET_ASIDE}: {failures} jobs in a row failed here and then succeeded on other nodes"
        if self._change(node, NodeState.SUSPECT, reason):
            self._mirror.count_failures(node, failures)
            node.trial = False
            self._rests_since.pop(node.name, None)

    def _try_again(self, node: NodeEntry) -> None:
        if self._change(node, NodeState.ACTIVE, "being tried again, one job at a time, after it was set aside"):
            # One more failure that is its own sets it aside again, one success clears it.
            self._mirror.count_failures(node, SET_ASIDE_AFTER - 1)
            node.trial = True

    def _change(self, node: NodeEntry, to: NodeState, reason: str) -> bool:
        before = node.state
        if not change_node(node.name, to, reason, only_from=[before]):
            return False  # someone else changed it meanwhile; the next refresh shows how
        node.state = to
        node.state_reason = reason
        _log.log(
            logging.INFO if to is NodeState.ACTIVE else logging.WARNING,
            "node %s is %s%s",
            node.name,
            to,
            f": {reason}" if reason else "",
            extra={"event.action": "node.state", "skerry.node": node.name, "skerry.state": to.value},
        )
        if to is NodeState.ACTIVE:
            node.consecutive_failures = 0
        return True


def _set_aside(node: NodeEntry) -> bool:
    return node.consecutive_failures >= SET_ASIDE_AFTER
