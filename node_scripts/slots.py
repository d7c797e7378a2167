"""The node's slots: how many attempts run at once, and which number each one has."""

from __future__ import annotations

import heapq


class Slots:
    """Numbers from 0; the lowest free one is given first, so that few users and cores are touched."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = list(range(count))
        self._busy = 0

    def take(self) -> int | None:
        """A free slot, or None."""
        if self._busy >= self._count or not self._free:
            return None
        self._busy += 1
        return heapq.heappop(self._free)

    def occupy(self, slot: int) -> None:
        """An attempt of an earlier start runs in this one, which may be past today's number of slots."""
        self._busy += 1
        if slot in self._free:
            self._free.remove(slot)
            heapq.heapify(self._free)

    def give_back(self, slot: int | None) -> None:
        """The slot is free again; nothing for None."""
        if slot is None:
            return
        self._busy -= 1
        if slot < self._count:
            heapq.heappush(self._free, slot)
