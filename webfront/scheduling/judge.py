"""Nodes' states as the scheduler changes them: heard again, silent, dead, set aside, tried again. In a transaction.

A node is **away** when its connection to the broker is closed: it is `suspect` at once, and gets no orders. Silent or
away, it is given up after `dead_s`; later where its agent has said that it is back in so many seconds. One without an
agent is given up when its machine could not be measured several times in a row, which the process that does that tells;
silence, or a closed connection, is that process's own, and there is as much time as those measurings take.

A node is **set aside** when several jobs in a row have failed on it and then succeeded on another node: the fault is
the node's then, not the apps'. It is `suspect` with the reason in words, gets no work for a while, and is then tried
with one attempt at a time until one succeeds on it.

A node is set aside, too, for what it refuses for itself (`wire.refusals`): at once when it ends an attempt so, and for
as long as its heartbeats say so. It gets no work meanwhile; it looks by itself whether it can again, and the first
heartbeat that says nothing of it any more, and is of later than the refusal, gives it work again. What it refuses is in
its row, so that a new scheduler knows it; a node that goes dead is asked anew when it is back.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Final

from webfront.fleet.refusing import LONGEST_WORDS, Told
from webfront.fleet.states import SET_ASIDE, NodeState, change_node, note_refusals
from webfront.scheduling.entries import NodeEntry
from webfront.scheduling.leases import OWN_EAR_S, Leases
from webfront.scheduling.mirror import Mirror
from wire.messages import Heartbeat
from wire.refusals import words_for

_log = logging.getLogger(__name__)

SET_ASIDE_AFTER: Final = 3
"""Jobs in a row that failed on a node and then succeeded elsewhere."""

REST_S: Final = 300.0
"""How long a node that was set aside gets no work."""

_OLDEST_BEAT_S: Final = 30.0
"""No heartbeat that comes can be older, whatever the node's clock says: the broker keeps it for 15 s."""

_MOST_KINDS: Final = 5

_LEFT: Final = "its connection to the broker is closed"
_LEAVING: Final = "its agent has stopped"
_OUT_OF_REACH: Final = "it could not be measured several times in a row"

_LOOK_S: Final = 1.0
"""Nodes are judged each second: one that is silent is given up no later than its time."""
_NOTED_S: Final = 5.5
"""A silence of one heartbeat that did not come."""

_AWAITED: Final = (NodeState.REGISTERING, NodeState.UNREGISTERED, NodeState.SUSPECT, NodeState.DEAD)
"""A heartbeat sets such a node active."""

_LEASED: Final = (NodeState.ACTIVE, NodeState.SUSPECT)


class NodeJudge:
    """Changes nodes' states; the reasons are words for the node's page."""

    def __init__(self, mirror: Mirror, leases: Leases, *, suspect_s: float, dead_s: float, agentless_s: float) -> None:
        self._mirror = mirror
        self._leases = leases
        self._suspect_s = suspect_s
        self._dead_s = dead_s
        self._agentless_s = agentless_s
        self._rests_since: dict[str, float] = {}
        """By node, of those set aside. Not in the database: a new scheduler lets them rest anew."""

    def heard(self, node: NodeEntry, beat: Heartbeat | None = None, now: float = 0.0) -> None:
        """A heartbeat came: a node that was awaited, silent or dead takes work; one set aside goes on resting.

        One that says that it can take none is set aside, and one that refused before and no longer says so takes work.
        """
        self._leases.heard(node.name)
        if beat is not None and beat.unable:
            found = [(one.kind, words_for(one.kind, one.words)) for one in beat.unable[:_MOST_KINDS]]
            self._refuses(node, found, beat.at, now)
        elif node.refusals:
            if beat is not None and _is_over(node, beat.at, now):
                self._can_again(node)
        elif node.state is not NodeState.SUSPECT or not self._leases.is_away(node.name):
            self._welcome(node)

    def leaves(self, node: NodeEntry) -> None:
        """Its agent says that it ends, and how soon it is back."""
        self._leases.heard(node.name)
        if node.state is NodeState.ACTIVE:
            self._change(node, NodeState.SUSPECT, f"{_LEAVING}, and is to be back within {node.awaited_s:.0f} s")

    def out_of_reach(self, node: NodeEntry) -> None:
        """Who measures it says that its machine does not answer any more."""
        self._leases.lost(node.name)

    def _welcome(self, node: NodeEntry) -> None:
        if node.state not in _AWAITED:
            return
        if not _has_failed(node):
            self._change(node, NodeState.ACTIVE, "")
        elif not node.is_set_aside:
            # It was silent on top of being set aside. It rests anew; the way there leads through active.
            failures = node.consecutive_failures
            if self._change(node, NodeState.ACTIVE, ""):
                self._set_aside(node, failures)

    def sweep(self, now: float) -> list[str]:
        """Judge every node by its silence. Returns the names of those whose attempts are lost."""
        lost = []
        for node in self._mirror.nodes.values():
            limit = self._limit(node)
            self._leases.resume(node.name, min(node.silent_s, limit - OWN_EAR_S))
            away = self._leases.is_away(node.name)
            if away and node.state is NodeState.ACTIVE:
                self._leases.heard(node.name)  # its time begins: no earlier scheduler has seen it go
                self._change(node, NodeState.SUSPECT, _LEFT)
            silence = self._leases.silence(node.name)
            self._mirror.note_silence(node, min(silence, limit) if silence > _NOTED_S or away else 0.0)
            if silence >= (limit if away else limit - _LOOK_S):
                lost.append(node.name)
                if node.state in _LEASED:
                    self._change(node, NodeState.DEAD, _why(silence, away=away))
            elif self._is_back(node, silence):
                self._welcome(node)
            elif silence >= self._suspect_s and node.state is NodeState.ACTIVE:
                self._change(node, NodeState.SUSPECT, f"no heartbeat for {silence:.0f} s")
            elif node.is_set_aside and not node.refusals and _has_failed(node) and self._rested(node, now):
                self._try_again(node)
            if node.state is not NodeState.SUSPECT:
                self._rests_since.pop(node.name, None)
        return lost

    def _is_back(self, node: NodeEntry, silence: float) -> bool:
        """Whether a suspect node is connected again; its heartbeat may have come before the broker was asked."""
        return (
            node.state is NodeState.SUSPECT
            and self._leases.is_there(node.name)
            and silence < self._suspect_s
            and not node.awaited_s
            and not node.is_set_aside
        )

    def _limit(self, node: NodeEntry) -> float:
        """For how long it may be silent."""
        return max(self._dead_s, node.awaited_s, self._agentless_s if node.agentless else 0.0)

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
        if _has_failed(node) and node.state is NodeState.ACTIVE:
            self._set_aside(node, node.consecutive_failures)

    def refused(self, name: str, kind: str, told_at: float, now: float) -> None:
        """The node has ended an attempt as one that it could take none of. Its heartbeats say more closely why."""
        if (node := self._mirror.nodes.get(name)) is not None:
            self._refuses(node, [(kind, words_for(kind, ""))], told_at, now)

    def _refuses(self, node: NodeEntry, found: Sequence[tuple[str, str]], told_at: float, now: float) -> None:
        """Set it aside for this, or say so where it is already."""
        if node.state is not NodeState.ACTIVE and node.state not in _AWAITED:
            return  # it gets no work in any case
        before = {one.kind: one for one in node.refusals}
        told = tuple(
            Told(kind, words[:LONGEST_WORDS], before[kind].since if kind in before else now, told_at)
            for kind, words in dict(found).items()
        )
        if node.is_set_aside and all(_is_known(one, before.get(one.kind)) for one in told) and len(told) == len(before):
            return
        reason = f"{SET_ASIDE}: it {'; '.join(one.words for one in told)}"
        if node.state is NodeState.SUSPECT:
            if not note_refusals(node.name, reason, told):
                return
            node.state_reason = reason
            self._tell(node)
        else:
            # The way there leads through active, on which failures are forgotten.
            failures = node.consecutive_failures
            if node.state is not NodeState.ACTIVE and not self._change(node, NodeState.ACTIVE, ""):
                return
            if not self._change(node, NodeState.SUSPECT, reason, told):
                return
            self._mirror.count_failures(node, failures)
        node.refusals = told

    def _can_again(self, node: NodeEntry) -> None:
        if not _has_failed(node):
            self._change(node, NodeState.ACTIVE, "")
        elif note_refusals(node.name, reason := self._failed_words(node.consecutive_failures), ()):
            node.state_reason, node.refusals = reason, ()
            self._tell(node)

    def _rested(self, node: NodeEntry, now: float) -> bool:
        # A clock that was set back must not make the rest longer.
        return not 0 <= now - self._rests_since.setdefault(node.name, now) < REST_S

    def _set_aside(self, node: NodeEntry, failures: int) -> None:
        if self._change(node, NodeState.SUSPECT, self._failed_words(failures)):
            self._mirror.count_failures(node, failures)
            node.trial = False
            self._rests_since.pop(node.name, None)

    def _try_again(self, node: NodeEntry) -> None:
        if self._change(node, NodeState.ACTIVE, "being tried again, one job at a time, after it was set aside"):
            # One more failure that is its own sets it aside again, one success clears it.
            self._mirror.count_failures(node, SET_ASIDE_AFTER - 1)
            node.trial = True

    def _failed_words(self, failures: int) -> str:
        return f"{SET_ASIDE}: {failures} jobs in a row failed here and then succeeded on other nodes"

    def _change(self, node: NodeEntry, to: NodeState, reason: str, refusals: Sequence[Told] = ()) -> bool:
        before = node.state
        if not change_node(node.name, to, reason, only_from=[before], refusals=refusals):
            return False  # someone else changed it meanwhile; the next refresh shows how
        node.state = to
        node.state_reason = reason
        node.refusals = tuple(refusals)
        self._tell(node)
        if to is NodeState.ACTIVE:
            node.consecutive_failures = 0
        return True

    def _tell(self, node: NodeEntry) -> None:
        _log.log(
            logging.INFO if node.state is NodeState.ACTIVE else logging.WARNING,
            "node %s is %s%s",
            node.name,
            node.state,
            f": {node.state_reason}" if node.state_reason else "",
            extra={"event.action": "node.state", "skerry.node": node.name, "skerry.state": node.state.value},
        )


def _why(silence: float, *, away: bool) -> str:
    if math.isinf(silence):
        return _OUT_OF_REACH
    return f"{_LEFT} for {silence:.0f} s" if away else f"no heartbeat for {silence:.0f} s"


def _is_known(told: Told, before: Told | None) -> bool:
    """Whether this was told before, at least as closely. Figures in its words are no news."""
    bare = words_for(told.kind, "")
    return before is not None and (before.words != bare or told.words == bare)


def _is_over(node: NodeEntry, told_at: float, now: float) -> bool:
    """Whether what was told then, of no refusal, is later than the refusals that are known."""
    return all(told_at > one.told_at or not 0 <= now - one.since <= _OLDEST_BEAT_S for one in node.refusals)


def _has_failed(node: NodeEntry) -> bool:
    return node.consecutive_failures >= SET_ASIDE_AFTER
