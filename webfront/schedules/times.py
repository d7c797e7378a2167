"""When a schedule is due: cron expressions and dates of the wall clock, in a named time zone. Pure functions.

A schedule names times of the wall clock, and each of them counts once, whatever the clock does:

- put forward, the clock jumps over some times. What they named is due at the moment of the jump, together.
- put back, the clock shows some times twice. What they named is due the first time.
- times that repeat by just the jump (each hour, every 15 minutes, each day where a whole day was jumped over) go on at
  their even pace: the hour that is missing has no tick, and the hour that comes twice has its ticks twice.

The rules of cron are those of Debian: where day of month and day of week are both restricted, either will do.
Moments are whole seconds since the epoch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Protocol
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from webfront.errors import InvalidInput

LONGEST_CRON: Final = 100
_ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_AREAS: Final = {
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
}  # fmt: skip
_ANY_DAY: Final = datetime(2026, 1, 1)
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_SECOND: Final = timedelta(seconds=1)
_MINUTES: Final = 24 * 60
_FIELDS: Final = {
    "minute": "0 to 59, a list (0,30), a range (0-10), a step (*/15) or *",
    "hour": "0 to 23, a list (8,12), a range (8-18), a step (*/2) or *",
    "day of month": "1 to 31, a list (1,15), a range (1-7), L for the last day, LW for the last weekday, or *",
    "month": "1 to 12 or JAN to DEC, a list, a range, or *",
    "day of week": "0 to 7 or SUN to SAT (0 and 7 are Sunday), a list, a range (1-5), MON#2, 5L, or *",
}


class Times(Protocol):
    """When something is due."""

    def after(self, moment: float) -> int | None:
        """The first due moment later than this one; None when there is none any more."""


def read_zone(name: str) -> ZoneInfo:
    """A time zone by its name. InvalidInput."""
    if name not in _zones():
        raise InvalidInput(
            f"There is no time zone {name[:64]!r}. Give one by its name, for example Europe/Berlin or UTC.",
            detail={"field": "zone"},
        )
    return ZoneInfo(name)


def zone_names() -> tuple[str, ...]:
    """The names to choose from: `UTC` and those of places."""
    return tuple(sorted(name for name in _zones() if name == "UTC" or name.partition("/")[0] in _AREAS))


def read_cron(text: str) -> str:
    """A cron expression of five fields, or a word such as `@daily`, as it is kept. InvalidInput."""
    given = " ".join(text.split())
    expression = _ALIASES.get(given.lower(), given.upper())
    fields = expression.split(" ")
    if len(fields) != len(_FIELDS) or len(expression) > LONGEST_CRON:
        raise _refuse(f"A cron expression has five fields ({', '.join(_FIELDS)}), for example 30 7 * * 1-5.")
    for place, (name, known) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(fields)
        alone[place] = fields[place]
        try:
            CronSim(" ".join(alone), _ANY_DAY)
        except (CronSimError, AssertionError) as error:
            raise _refuse(f"The {name} {fields[place]!r} cannot be used. Give {known}.") from error
    try:
        first = next(CronSim(expression, _ANY_DAY), None)
    except CronSimError:
        first = None
    if first is None:
        raise _refuse(f"{expression} never comes: no such day is in these months. Change the day or the month.")
    return expression


def read_at(text: str) -> datetime:
    """One date and time of the wall clock, to the minute. InvalidInput."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or "T" not in text.strip().upper().replace(" ", "T"):
        raise InvalidInput(f"{text[:40]!r} is no date and time. Give it as 2026-12-24T18:30.", detail={"field": "at"})
    if found.tzinfo is not None:
        raise InvalidInput("Give the date and time without an offset: the time zone says it.", detail={"field": "at"})
    return found.replace(second=0, microsecond=0)


@dataclasses.dataclass(frozen=True)
class Once:
    """One date and time of the wall clock."""

    at: datetime
    zone: ZoneInfo

    def after(self, moment: float) -> int | None:
        due = moment_of(self.at, self.zone)
        return due if due > moment else None


@dataclasses.dataclass(frozen=True)
class Cron:
    """Times of the wall clock by a cron expression that `read_cron` has accepted."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: float) -> int | None:
        local = datetime.fromtimestamp(moment, self.zone)
        wall = local.replace(tzinfo=None, fold=0)
        if (jump := _put_back(wall, self.zone)) is not None:
            return self._after_in_twice_shown(moment, wall, local.fold, jump)
        return self._from(wall, moment)

    def _from(self, wall: datetime, moment: float) -> int | None:
        """The first due moment after `moment`, of the wall clock's times after `wall`."""
        for one in CronSim(self.expression, wall):
            jump = _jumped_over(one, self.zone)
            if jump is not None and self._repeats_by(jump.length):
                continue
            due = jump.moment if jump is not None else moment_of(one, self.zone)
            if due > moment:
                return due
        return None

    def _after_in_twice_shown(self, moment: float, wall: datetime, fold: int, jump: _Jump) -> int | None:
        """As `after`, where the clock shows `wall` twice."""
        if fold == 0:
            found = self._from(wall, moment)
            if found is not None and (found < jump.moment or not self._repeats_by(jump.length)):
                return found
            wall = jump.begin - _SECOND
        if self._repeats_by(jump.length):
            for one in CronSim(self.expression, wall):
                if one >= jump.end:
                    break
                due = int(one.replace(tzinfo=self.zone, fold=1).timestamp())
                if due > moment:
                    return due
        return self._from(jump.end - _SECOND, moment)

    def _repeats_by(self, length: timedelta) -> bool:
        """Whether the times repeat by this much, so that a jump of the clock by it leaves none out."""
        pattern = _pattern(self.expression)
        if not length % _DAY:
            return pattern.every_day
        shift = length // _MINUTE % _MINUTES
        return length % _MINUTE == timedelta(0) and all(
            (one + shift) % _MINUTES in pattern.minutes for one in pattern.minutes
        )


def times_of(cron: str | None, at: str | None, zone: str) -> Times:
    """The times of a schedule's row."""
    if cron is not None:
        return Cron(cron, read_zone(zone))
    return Once(read_at(at or ""), read_zone(zone))


def next_times(times: Times, moment: float) -> Iterator[int]:
    """The due moments after this one, one after the other."""
    due = times.after(moment)
    while due is not None:
        yield due
        due = times.after(due)


def first_times(times: Times, moment: float, count: int) -> tuple[int, ...]:
    """The next due moments, `count` at most."""
    return tuple(islice(next_times(times, moment), count))


@dataclasses.dataclass(frozen=True)
class _Pattern:
    minutes: frozenset[int]
    """The minutes of a day, from 0, on which it is due."""
    every_day: bool


@functools.lru_cache(maxsize=1000)
def _pattern(expression: str) -> _Pattern:
    fields = CronSim(expression, _ANY_DAY)
    minutes = frozenset(hour * 60 + minute for hour in fields.hours for minute in fields.minutes)
    return _Pattern(minutes, expression.split(" ")[2:] == ["*", "*", "*"])


@dataclasses.dataclass(frozen=True)
class _Jump:
    """A change of the clock: when it happens, and the times of the wall clock that it leaves out or shows twice."""

    moment: int
    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.begin


def _offsets(wall: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The offset from UTC as it was before a change of the clock near this time, and after it; mostly the same."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return before, after


def _jumped_over(wall: datetime, zone: ZoneInfo) -> _Jump | None:
    """The change that leaves this time out; None when the clock shows it."""
    before, after = _offsets(wall, zone)
    if before >= after:
        return None
    moment = _change(zone, _utc(wall - after), _utc(wall - before))
    begin = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None) + before
    return _Jump(moment, begin, begin + (after - before))


def _put_back(wall: datetime, zone: ZoneInfo) -> _Jump | None:
    """The change after which the clock shows this time again; None when it shows it once."""
    before, after = _offsets(wall, zone)
    if before <= after:
        return None
    moment = _change(zone, _utc(wall - before), _utc(wall - after))
    end = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None) + before
    return _Jump(moment, end - (before - after), end)


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The moment, after `low` and not after `high`, from which on another offset holds than at `low`."""
    offset = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def moment_of(wall: datetime, zone: ZoneInfo) -> int:
    """When the clock shows this time, the first time; where it is left out, the moment of the jump."""
    jump = _jumped_over(wall, zone)
    return jump.moment if jump is not None else int(wall.replace(tzinfo=zone, fold=0).timestamp())


def _utc(wall: datetime) -> int:
    return int(wall.replace(tzinfo=UTC).timestamp())


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _refuse(words: str) -> InvalidInput:
    return InvalidInput(words, detail={"field": "cron"})
