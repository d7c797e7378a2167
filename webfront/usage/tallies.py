"""Counted deeds, put together to what the page and the API show: the same way, whoever has counted them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from webfront.activity.facts import Outcome
from webfront.usage.views import Breakdown, Period, Share, Usage

MOST: Final = 20
"""Names that a breakdown has, at most; the rest are its others."""


class Tally:
    """Deeds that succeeded and failed, by name."""

    def __init__(self) -> None:
        self._counts: dict[Any, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, name: object, outcome: str, count: int) -> None:
        self._counts[name][outcome != Outcome.SUCCESS] += count

    def of(self, name: object) -> tuple[int, int]:
        succeeded, failed = self._counts.get(name, (0, 0))
        return succeeded, failed

    def whole(self) -> tuple[int, int]:
        return _sum(self._counts.values())

    def breakdown(self) -> Breakdown:
        together = sum(self.whole())
        named = sorted((name for name in self._counts if name), key=lambda name: (-sum(self._counts[name]), name))
        return Breakdown(
            tuple(_share(name, self.of(name), together) for name in named[:MOST]),
            _share("", _sum(self._counts[name] for name in named[MOST:]), together),
            _share("", self.of(""), together),
            len(named),
        )


class Counts:
    """The answer to a question while it is counted: each deed counts in every one of these."""

    def __init__(self) -> None:
        self.over_time, self.functions, self.controllers, self.users, self.nodes = (Tally() for _ in range(5))
        """By the period's place among all, by kind, and by name, which is empty where there is none."""

    def usage(self, borders: tuple[float, ...]) -> Usage:
        """Put together; `borders` as `webfront.usage.periods` has them."""
        succeeded, failed = self.over_time.whole()
        spans = enumerate(itertools.pairwise(borders))
        return Usage(
            succeeded=succeeded,
            failed=failed,
            periods=tuple(Period(begin, end, *self.over_time.of(place)) for place, (begin, end) in spans),
            functions=self.functions.breakdown(),
            controllers=self.controllers.breakdown(),
            nodes=self.nodes.breakdown(),
            users=self.users.breakdown(),
        )


def _sum(counts: Iterable[Iterable[int]]) -> tuple[int, int]:
    succeeded = failed = 0
    for well, badly in counts:
        succeeded, failed = succeeded + well, failed + badly
    return succeeded, failed


def _share(name: str, counts: tuple[int, int], together: int) -> Share:
    return Share(name, *counts, round(100 * sum(counts) / together, 1) if together else 0.0)
