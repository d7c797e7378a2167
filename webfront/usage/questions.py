"""Reading a question from the words in which it is asked, on the page and in the API alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from webfront import spans
from webfront.activity.facts import DEEDS
from webfront.errors import InvalidInput
from webfront.usage.views import Bucket, Question

_HOUR: Final = 3600

DEFAULT_SPAN: Final = "7d"
FIELDS: Final = {
    **spans.fields(DEFAULT_SPAN),
    "function": "only this deed, as `kind` of `/activity`",
    "user": "only this user's, for administrators",
    "node": "only deeds about this node",
    "controller": "only what came in here, such as `pages.jobs` or `api.jobs`",
}
"""What can be asked, with what each means."""

_MINUTES_UP_TO_S: Final = 3 * _HOUR
_HOURS_UP_TO_S: Final = 8 * 24 * _HOUR


def read_question(asked: Mapping[str, str], now: float) -> Question:
    """The question in these `FIELDS`, each of which may be left out or empty. InvalidInput."""
    given = {name: asked.get(name, "").strip() for name in FIELDS}
    if given["function"] and given["function"] not in DEEDS:
        known = ", ".join(sorted(DEEDS))
        words = f"There is no function {given['function'][:40]!r}. Give one of {known}."
        raise InvalidInput(words, detail={"field": "function"})
    span = spans.read_span(given, now, DEFAULT_SPAN)
    return Question(
        begin=span.begin,
        end=span.end,
        zone=span.zone.key,
        bucket=_bucket(span.end - span.begin),
        span=span.name,
        function=given["function"],
        user=given["user"],
        node=given["node"],
        controller=given["controller"],
    )


def _bucket(length: float) -> Bucket:
    if length <= _MINUTES_UP_TO_S:
        return Bucket.MINUTE
    return Bucket.HOUR if length <= _HOURS_UP_TO_S else Bucket.DAY
