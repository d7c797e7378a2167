"""How long each node has been silent, and which claims a node no longer holds. No clock, no database, no broker.

Silence is counted only while somebody could have been heard. What is no node's fault:

* A scheduler that was not connected: its clock stands. Whoever schedules next goes on from what is noted in the nodes'
  rows, after listening itself for as long as it takes to hear what has been sent meanwhile.
* A broker that was restarted, or may have been: each node gets its full time again, and before that the time it takes
  to connect.
* A broker in need, which takes nothing of what nodes say (`blocked`): the clock stands, and then each node gets its
  full time again.
* This process itself, where it was stopped or held up: it compares its own lag first. For as long as it was late the
  clock stands again, up to a bound, since whoever shares its machine was stopped as well and has to come back first.

A node whose connection has closed is **away**: the broker says so, and so it is known at once. A heartbeat of it may
still be in the queue, and does not bring it back.

A claim is lost when its node lives and no longer lists it. Since an attempt leaves that list once the broker has
confirmed its `Finished` event, and that event may still wait in the queue, a claim that is missing from two heartbeats
is only *doubted*: the scheduler sends itself a **fence** through the same queue. When the fence comes back, everything
the node had said before has been applied, and what still stands as claimed is lost.

A queue that is purged or made anew loses the fences in it, and says nothing. So a claim that is missing yet when its
fence should long be back gets another; fences keep their order, so that one which is back answers for those before it.

Whether a heartbeat is of before the claim, the node's own clock says. One that was set back would say so for as long as
it was set back by: after `_OLDEST_BEAT_S` of our own time it is not asked any more.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from webfront.jobs.states import AttemptState
from webfront.scheduling.entries import Key, Live

_LONGEST_STEP_S: Final = 2.0
"""More time than this between two ticks passed while this process did not run."""
_NEWS_S: Final = 1.0
"""An answer about a node's connection may be so old; a heartbeat that came since says more."""
_STALL_S: Final = 5.0
"""So much between two ticks is no busy moment any more."""
_LONGEST_ALLOWANCE_S: Final = 20.0
"""As long as an agent takes at most to find its connection broken, and to have the next."""
_CONNECTING_S: Final = 10.0
"""As long as it takes at most to connect to a broker that has come up."""
OWN_EAR_S: Final = 2.0
"""A scheduler that has listened for so long has heard what was sent before it began."""

_MISSED_BEATS: Final = 2
_OLDEST_BEAT_S: Final = 30.0
"""No heartbeat that comes can be older: the broker keeps it for 15 s."""
_FENCE_OVERDUE_S: Final = 30.0


@dataclasses.dataclass(slots=True)
class _Missing:
    """A claim that is not listed."""

    since: float
    beats: int = 0
    fenced_at: float | None = None


class Leases:
    """The nodes' silence and their doubted claims."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._ticked: float | None = None
        self._allowance = 0.0
        """For so long the clock stands yet."""
        self._blocked = False
        self._resumes = False
        """Whether a silence that is noted counts."""
        self._heard: dict[str, float] = {}
        self._away: set[str] = set()
        self._there: set[str] = set()
        """Nodes of which the broker has said that they are not connected, and those that are."""
        self._missing: dict[Key, _Missing] = {}
        self._fences: dict[str, dict[Key, _Missing]] = {}
        """By token, in the order in which they were sent."""

    def reset(self, *, same_broker: bool = False) -> None:
        """A new connection; fences of the old one may never come back.

        Everyone gets their full time, unless it is to the `same_broker`, which has been up all the while.
        """
        self._ticked = None
        self._blocked = False
        self._away.clear()
        self._there.clear()
        self._missing.clear()
        self._fences.clear()
        if same_broker:
            self._resumes = True
            self._allowance = OWN_EAR_S
        else:
            self._begin_anew(_CONNECTING_S)

    def tick(self, monotonic: float, *, blocked: bool = False) -> None:
        """Time passes, while connected. `blocked`: the broker takes nothing of anybody."""
        passed = 0.0 if self._ticked is None else max(0.0, monotonic - self._ticked)
        self._ticked = monotonic
        if passed > _STALL_S:
            self._begin_anew(min(passed, _LONGEST_ALLOWANCE_S))
        elif self._blocked and not blocked:
            self._begin_anew(0.0)
        elif not blocked:
            spare = min(self._allowance, passed)
            self._allowance -= spare
            self._clock += min(passed, _LONGEST_STEP_S) - min(spare, _LONGEST_STEP_S)
        self._blocked = blocked

    def _begin_anew(self, allowance: float) -> None:
        """Everyone gets their full time, from when the clock has stood for so long."""
        self._heard.clear()
        self._resumes = False
        self._allowance = allowance

    def heard(self, node: str) -> None:
        """A heartbeat of this node came, or what counts as one."""
        self._heard[node] = self._clock

    def lost(self, node: str) -> None:
        """It is known to be out of reach: as silent as can be until it is heard."""
        self._heard[node] = -math.inf

    def resume(self, node: str, silence: float) -> None:
        """Go on from a silence that an earlier scheduler counted, unless the node has been heard here, or could not."""
        if self._resumes:
            self._heard.setdefault(node, self._clock - silence)

    def silence(self, node: str) -> float:
        """For how many seconds the node has been silent. Counted from the first question on."""
        return self._clock - self._heard.setdefault(node, self._clock)

    def connected(self, nodes: Mapping[str, bool]) -> None:
        """What the broker says of nodes' connections. The time of one that comes or goes begins anew."""
        for name, there in nodes.items():
            if not there and self._clock - self._heard.get(name, -math.inf) < _NEWS_S:
                continue  # it has been heard since it was asked about
            now, before = (self._there, self._away) if there else (self._away, self._there)
            if name in before:
                before.remove(name)
                self.heard(name)
            now.add(name)

    def is_away(self, node: str) -> bool:
        """Whether the broker says that nobody is connected as this node."""
        return node in self._away

    def is_there(self, node: str) -> bool:
        """Whether it says that somebody is. Neither, of a node that was not asked about or has no queue."""
        return node in self._there

    def doubt(self, held: Collection[Key], beat_at: float, live: Iterable[Live]) -> frozenset[Key]:
        """The live attempts of a node that it has claimed and stopped listing, as of a heartbeat taken at `beat_at`.

        Those already behind a fence that may yet come back are left out.
        """
        doubted = set()
        for one in live:
            key = (one.job, one.number)
            claimed = one.state is not AttemptState.PLACED and one.claimed_at is not None
            if not claimed or key in held:
                self._missing.pop(key, None)
                continue
            missing = self._missing.setdefault(key, _Missing(self._clock))
            if (one.claimed_at or 0.0) < beat_at or self._clock - missing.since > _OLDEST_BEAT_S:
                missing.beats += 1
            fenced = missing.fenced_at is not None and self._clock - missing.fenced_at <= _FENCE_OVERDUE_S
            if missing.beats >= _MISSED_BEATS and not fenced:
                doubted.add(key)
        return frozenset(doubted)

    def fence(self, token: str, doubted: frozenset[Key]) -> None:
        """A fence with this token is on its way; when it is back, these are lost."""
        behind = {key: self._missing[key] for key in doubted if key in self._missing}
        for missing in behind.values():
            missing.fenced_at = self._clock
        self._fences[token] = behind

    def fence_returned(self, token: str) -> frozenset[Key]:
        """The claims the node no longer holds, of those still missing; none for a token of another connection."""
        if token not in self._fences:
            return frozenset()
        behind: dict[Key, _Missing] = {}
        for earlier in list(self._fences):
            behind |= self._fences.pop(earlier)
            if earlier == token:
                break
        # One that was listed again meanwhile, and is missing once more, waits for a fence of its own.
        return frozenset(key for key, missing in behind.items() if self._missing.get(key) is missing)

    def forget(self, key: Key) -> None:
        """The attempt has ended."""
        self._missing.pop(key, None)
