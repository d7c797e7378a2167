"""How long each node has been silent, and which claims a node no longer holds. No clock, no database, no broker.

Silence is counted only while the scheduler itself is connected and awake: a broker that was away, or a scheduler that
was stopped for a while, is no node's fault. Each connect gives every node its full time again.

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
from collections.abc import Collection, Iterable
from typing import Final

from webfront.jobs.states import AttemptState
from webfront.scheduling.entries import Key, Live

_LONGEST_STEP_S: Final = 2.0
"""More time than this between two ticks passed while this process did not run."""

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
        self._heard: dict[str, float] = {}
        self._missing: dict[Key, _Missing] = {}
        self._fences: dict[str, dict[Key, _Missing]] = {}
        """By token, in the order in which they were sent."""

    def reset(self) -> None:
        """A new connection: everyone gets their full time, and fences of the old one may never come back."""
        self._ticked = None
        self._heard.clear()
        self._missing.clear()
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
