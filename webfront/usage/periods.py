"""Into which periods a span falls, by the clock of a time zone. Pure functions.

A day begins when the zone's clock first shows its midnight, or at the change of the clock that leaves that out: a day
may have 23 hours, or 25. Hours and minutes begin where the clock shows a whole one; where an hour comes twice, it is
two periods.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from webfront.schedules.times import moment_of
from webfront.usage.views import Bucket

_DAY: Final = timedelta(days=1)
_SIZES: Final = {Bucket.MINUTE: 60, Bucket.HOUR: 3600}


class Run(NamedTuple):
    """Periods of one length that follow each other."""

    begin: float
    end: float
    length: float
    first: int
    """The place of its first period among all."""

    @property
    def is_one(self) -> bool:
        return self.end - self.begin == self.length


def borders(begin: float, end: float, zone: ZoneInfo, bucket: Bucket) -> tuple[float, ...]:
    """Where the periods of a span begin, and at last where it ends."""
    found = [begin]
    for border in _whole_days(begin, zone) if bucket is Bucket.DAY else _whole(begin, zone, _SIZES[bucket]):
        if border >= end:
            break
        if border > found[-1]:  # a day that the zone leaves out has no length
            found.append(border)
    return (*found, end)


def runs(at: tuple[float, ...]) -> list[Run]:
    """The periods between these borders, those of one length together: few, however many periods there are."""
    found: list[Run] = []
    for place, (begin, end) in enumerate(pairwise(at)):
        if found and found[-1].length == end - begin:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Run(begin, end, end - begin, place))
    return found


def _whole_days(begin: float, zone: ZoneInfo) -> Iterator[int]:
    day = datetime.fromtimestamp(begin, zone).date()
    while True:
        day += _DAY
        yield moment_of(datetime.combine(day, time()), zone)


def _whole(begin: float, zone: ZoneInfo, size: int) -> Iterator[int]:
    moment = math.floor(begin)
    while True:
        offset = datetime.fromtimestamp(moment, zone).utcoffset() or timedelta()
        moment += size - (moment + int(offset.total_seconds())) % size
        yield moment
