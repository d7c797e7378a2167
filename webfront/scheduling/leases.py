"""How long each node has been silent, and which claims a node no longer holds. No clock, no database, no broker.

Silence is counted only while the scheduler itself is connected and awake: a broker that was away, or a scheduler that
was stopped for a while, is no node's fault. Each connect gives every node its full time again.

A claim is lost when its node lives and no longer lists it. Since an attempt leaves that list once the broker has
confirmed its `Finished` event, and that event may still wait in the queue, a claim that is missing from two heartbeats
is only *doubted*: the scheduler sends itself a **fence** through the same queue. When the fence comes back, everything
the node had said before has been applied, and what still stands as claimed is lost.

A heartbeat that was taken before the claim says nothing of it. Which of the two was first, the node's clock tells, and
this one's bounds the claim's time; so where the two clocks differ, it is believed for a minute, and not for the hour
that they may differ by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from webfront.jobs.states import AttemptState
from webfront.scheduling.mirror import Key, Live

_LONGEST_STEP_S: Final = 2.0
"""More time than this between two ticks passed while this process did not run."""

_MISSED_BEATS: Final = 2

_UNDER_WAY_S: Final = 60.0
"""No heartbeat that comes later than this was taken before what was known by then, whatever its node's clock says."""


class Leases:
    """The nodes' silence and their doubted claims."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._ticked: float | None = None
        self._heard: dict[str, float] = {}
        self._missing: dict[Key, int] = {}
        self._unlisted: dict[Key, float] = {}
        """Since when claims are missing from heartbeats that seem to be older than they are."""
        self._fences: dict[str, frozenset[Key]] = {}

    def reset(self) -> None:
        """A new connection: everyone gets their full time, and fences of the old one may never come back."""
        self._ticked = None
        self._heard.clear()
        self._missing.clear()
        self._unlisted.clear()
        self._fences.clear()

    def tick(self, monotonic: float) -> None:
        """Time passes, while connected."""
        if self._ticked is not None:
            self._clock += min(max(0.0, monotonic - self._ticked), _LONGEST_STEP_S)
        self._ticked = monotonic

    def heard(self, node: str) -> None:
        """A heartbeat of this node came."""
        self._heard[node] = self._clock

    def silence(self, node: str) -> float:
        """For how many seconds the node has been silent. Counted from the first question on."""
        return self._clock - self._heard.setdefault(node, self._clock)

    def doubt(self, held: Collection[Key], beat_at: float, live: Iterable[Live]) -> frozenset[Key]:
        """The live attempts of a node that it has claimed and stopped listing, as of a heartbeat taken at `beat_at`.

        Those already behind a fence are left out.
        """
        doubted = set()
        for one in live:
            key = (one.job, one.number)
            claimed = one.state is not AttemptState.PLACED and one.claimed_at is not None
            if not claimed or key in held:
                self.forget(key)
                continue
            seems_older = (one.claimed_at or 0.0) >= beat_at
            if seems_older and self._clock - self._unlisted.setdefault(key, self._clock) < _UNDER_WAY_S:
                self._missing.pop(key, None)
                continue
            self._missing[key] = self._missing.get(key, 0) + 1
            if self._missing[key] >= _MISSED_BEATS:
                doubted.add(key)
        return frozenset(doubted).difference(*self._fences.values())

    def fence(self, token: str, doubted: frozenset[Key]) -> None:
        """A fence with this token is on its way; when it is back, these are lost."""
        self._fences[token] = doubted

    def fence_returned(self, token: str) -> frozenset[Key]:
        """The claims the node no longer holds, of those still missing; none for a token of another connection."""
        return frozenset(key for key in self._fences.pop(token, frozenset()) if key in self._missing)

    def forget(self, key: Key) -> None:
        """The attempt has ended, or is listed."""
        self._missing.pop(key, None)
        self._unlisted.pop(key, None)
