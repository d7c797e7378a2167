"""Spans of time as people ask for them: until now, or by dates on the clock of a time zone.

Whatever is asked over time reads its span here, on pages and in the API alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from webfront.errors import InvalidInput
from webfront.schedules.times import moment_of, read_zone

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR

SPANS: Final[Mapping[str, int]] = {"1h": _HOUR, "24h": _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY, "90d": 90 * _DAY}
"""The spans that end now, by name, in seconds."""
LONGEST_DAYS: Final = 400

_YEARS: Final = range(2, 9999)
"""So that a zone's clock shows a date that there is."""
_CHANGES_S: Final = 3 * _HOUR
"""How much longer days may be together than 24 hours each."""
_LONGEST_DATE: Final = len("2026-03-29")
"""In characters; with a time it is longer."""
_PLUS_LOST: Final = re.compile(r" (\d\d:?\d\d)$")
"""The end of an offset whose + was taken for a space, as addresses write one."""


class Span(NamedTuple):
    """From `begin` on and before `end`."""

    begin: float
    end: float
    zone: ZoneInfo
    name: str
    """Of `SPANS`; empty where dates were given."""
    until_now: bool
    """No end was given."""


def fields(default: str) -> dict[str, str]:
    """What can be asked, with what each means. `default` is the span where nothing is said."""
    return {
        "span": f"the time until now: {', '.join(SPANS)}; {default} by default",
        "from": "instead of a span: its beginning, a date or a date and time, by the clock of `zone` or with an offset",
        "to": "and its end, now by default; a date is in it as a whole",
        "zone": "the time zone whose days and hours count, UTC by default",
    }


def read_span(asked: Mapping[str, str], now: float, default: str) -> Span:
    """The span in these `fields`, each of which may be left out or empty. InvalidInput."""
    given = {name: asked.get(name, "").strip() for name in fields(default)}
    zone = read_zone(given["zone"] or "UTC")
    name = given["span"] or default
    if name not in SPANS:
        raise _refuse("span", f"There is no span {name[:40]!r}. Give one of {', '.join(SPANS)}, or from and to.")
    end = _read("to", given["to"], zone, whole_day=True) if given["to"] else now
    begin = _read("from", given["from"], zone) if given["from"] else end - SPANS[name]
    if begin >= end:
        raise _refuse("from", "The span ends before it begins. Change from, or to, which is now by default.")
    if end - begin > LONGEST_DAYS * _DAY + _CHANGES_S:
        raise _refuse("from", f"The span is longer than {LONGEST_DAYS} days. Change from or to.")
    return Span(begin, end, zone, "" if given["from"] or given["to"] else name, not given["to"])


def _read(field: str, text: str, zone: ZoneInfo, *, whole_day: bool = False) -> float:
    """The moment; of a date alone its beginning, or its end where it is in the span as a whole."""
    try:
        found = datetime.fromisoformat(_PLUS_LOST.sub(r"+\1", text))
    except ValueError as error:
        words = f"{text[:40]!r} is no date. Give {field} as 2026-03-29, or with a time as 2026-03-29T18:30."
        raise _refuse(field, words) from error
    if found.year not in _YEARS:
        raise _refuse(field, f"{text[:40]!r} is too far away. Give {field} a year from 2 to 9998.")
    if whole_day and len(text) <= _LONGEST_DATE:
        found += timedelta(days=1)
    return float(moment_of(found, zone)) if found.tzinfo is None else found.timestamp()


def _refuse(field: str, words: str) -> InvalidInput:
    return InvalidInput(words, detail={"field": field})
