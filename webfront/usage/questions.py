"""Reading a question from the words in which it is asked, on the page and in the API alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from webfront.activity.facts import DEEDS
from webfront.errors import InvalidInput
from webfront.schedules.times import moment_of, read_zone
from webfront.usage.views import Bucket, Question

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR

SPANS: Final[Mapping[str, int]] = {"1h": _HOUR, "24h": _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY, "90d": 90 * _DAY}
"""The spans that end now, by name, in seconds."""
DEFAULT_SPAN: Final = "7d"
LONGEST_DAYS: Final = 400
FIELDS: Final = {
    "span": f"the time until now: {', '.join(SPANS)}; {DEFAULT_SPAN} by default",
    "from": "instead of a span: its beginning, a date or a date and time, by the clock of `zone` or with an offset",
    "to": "and its end, now by default; a date is in it as a whole",
    "zone": "the time zone whose days and hours count, UTC by default",
    "function": "only this deed, as `kind` of `/activity`",
    "user": "only this user's, for administrators",
    "node": "only deeds about this node",
    "controller": "only what came in here, such as `pages.jobs` or `api.jobs`",
}
"""What can be asked, with what each means."""

_YEARS: Final = range(2, 9999)
"""So that a zone's clock shows a date that there is."""
_MINUTES_UP_TO_S: Final = 3 * _HOUR
_HOURS_UP_TO_S: Final = 8 * _DAY
_CHANGES_S: Final = 3 * _HOUR
"""How much longer days may be together than 24 hours each."""
_LONGEST_DATE: Final = len("2026-03-29")
"""In characters; with a time it is longer."""
_PLUS_LOST: Final = re.compile(r" (\d\d:?\d\d)$")
"""The end of an offset whose + was taken for a space, as addresses write one."""


def read_question(asked: Mapping[str, str], now: float) -> Question:
    """The question in these `FIELDS`, each of which may be left out or empty. InvalidInput."""
    given = {name: asked.get(name, "").strip() for name in FIELDS}
    zone = read_zone(given["zone"] or "UTC")
    span = given["span"] or DEFAULT_SPAN
    if span not in SPANS:
        raise _refuse("span", f"There is no span {span[:40]!r}. Give one of {', '.join(SPANS)}, or from and to.")
    if given["function"] and given["function"] not in DEEDS:
        known = ", ".join(sorted(DEEDS))
        raise _refuse("function", f"There is no function {given['function'][:40]!r}. Give one of {known}.")
    end = _read("to", given["to"], zone, whole_day=True) if given["to"] else now
    begin = _read("from", given["from"], zone) if given["from"] else end - SPANS[span]
    if begin >= end:
        raise _refuse("from", "The span ends before it begins. Change from, or to, which is now by default.")
    if end - begin > LONGEST_DAYS * _DAY + _CHANGES_S:
        raise _refuse("from", f"The span is longer than {LONGEST_DAYS} days. Change from or to.")
    return Question(
        begin=begin,
        end=end,
        zone=zone.key,
        bucket=_bucket(end - begin),
        span="" if given["from"] or given["to"] else span,
        function=given["function"],
        user=given["user"],
        node=given["node"],
        controller=given["controller"],
    )


def _bucket(length: float) -> Bucket:
    if length <= _MINUTES_UP_TO_S:
        return Bucket.MINUTE
    return Bucket.HOUR if length <= _HOURS_UP_TO_S else Bucket.DAY


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
