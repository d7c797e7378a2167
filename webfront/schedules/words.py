"""Schedules' times in words: what a cron expression says, and when the next time is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from webfront.schedules.times import read_zone

_ENDINGS: Final = {"1": "st", "2": "nd", "3": "rd"}
_ANY_DAY: Final = datetime(2026, 1, 1)
_THIS_WEEK: Final = timedelta(days=6)


def times_in_words(cron: str | None, at: str | None, zone: str) -> str:
    """`At 07:30 on Monday through Friday (Europe/Berlin)`, `Once, on 24 December 2026 at 18:30 (UTC)`."""
    if cron is not None:
        # By the library that computes the times, so that the two cannot differ.
        words = re.sub(r"\b(\d*?)(\d)th\b", _ordinal, CronSim(cron, _ANY_DAY).explain())
    else:
        words = f"Once, on {_date(datetime.fromisoformat(at or ''))} at {(at or '')[-5:]}"
    return f"{words} ({zone})"


def moment_in_words(moment: float, zone: str, now: float) -> str:
    """`today 07:30`, `tomorrow 07:30`, `Friday 07:30`, `24 December 2026 07:30`: of that zone's wall clock."""
    place: ZoneInfo = read_zone(zone)
    local, today = (datetime.fromtimestamp(one, place) for one in (moment, now))
    distance = local.date() - today.date()
    if not distance:
        day = "today"
    elif distance == timedelta(days=1):
        day = "tomorrow"
    elif distance == timedelta(days=-1):
        day = "yesterday"
    elif timedelta(0) < distance <= _THIS_WEEK:
        day = f"{local:%A}"
    else:
        day = _date(local)
    # Where the clock was put back, it shows this time again.
    return f"{day} {local:%H:%M}{' again' if local.fold else ''}"


def date_in_words(moment: float, zone: str) -> str:
    """`24 December 2026 07:30`, whenever it is read."""
    local = datetime.fromtimestamp(moment, read_zone(zone))
    return f"{_date(local)} {local:%H:%M}"


def _date(day: datetime) -> str:
    return f"{day.day} {day:%B %Y}"


def _ordinal(found: re.Match[str]) -> str:
    tens, last = found.groups()
    return f"{tens}{last}{'th' if tens.endswith('1') else _ENDINGS.get(last, 'th')}"
