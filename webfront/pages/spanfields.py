"""The fields by which a page is asked about a span of time: `templates/parts/span.html` shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from webfront.schedules.times import zone_names
from webfront.spans import LONGEST_DAYS

_SPANS: Final = {
    "1h": "the last hour",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "30d": "the last 30 days",
    "90d": "the last 90 days",
}


def span_fields(default: str) -> dict[str, Any]:
    """What the template needs; `default` is the span where nothing is said."""
    return {"spans": _SPANS, "default_span": default, "longest_days": LONGEST_DAYS, "zones": zone_names()}


def dates(span: str, begin: float, end: float, zone: ZoneInfo) -> dict[str, str]:
    """The dates that were given, as the form's fields have them; none where a span was."""
    if span:
        return {}
    ends = {"from": begin, "to": end}
    return {name: datetime.fromtimestamp(at, zone).replace(tzinfo=None).isoformat()[:19] for name, at in ends.items()}


def in_words(moment: float, zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(moment, zone)
    return at.strftime(f"{at.day} %B %Y, %H:%M")
