"""Log records as lines of a page. What they say is strangers' text: it is shown as it is, and does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from webfront.jobs.identifiers import PATTERN
from webfront.logs.questions import LEVELS
from webfront.logs.views import RecordView
from wire.topology import NODE_NAME

Narrow = Callable[[str, str], str]
"""The address of the same search with a field's value."""

_TONES: Final = {
    called: tone
    for level, tone in {"warning": "suspect", "error": "failed", "critical": "failed"}.items()
    for called in (level, *LEVELS[level])
}
"""By a level's name the state that has its colour."""
_FIRST: Final = ("message", "error.type", "error.message", "error.stack_trace")
_SHOWN: Final = 1_000
_SHOWN_LINES: Final = 12
"""Of a message beside the others; its fields have more of it."""
_LONGEST: Final = 20_000
_MOST_FIELDS: Final = 200
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""What has no form of its own, or turns the text around it."""


class Link(NamedTuple):
    words: str
    href: str


class Field(NamedTuple):
    name: str
    text: str
    href: str
    """Of the job's or the node's page; mostly empty."""
    is_long: bool


class Entry(NamedTuple):
    at: float
    level: str
    tone: str
    whose: tuple[Link, ...]
    """Its process, node and job; each narrows the search."""
    message: str
    is_cut: bool
    fields: tuple[Field, ...]


def entry(record: RecordView, narrow: Narrow) -> Entry:
    """The record as a line of the page."""
    message = plain(record.message or str(record.fields.get("error.message", "")))
    begins = "\n".join(message[:_SHOWN].split("\n")[:_SHOWN_LINES])
    whose = (
        ("process", record.process, record.process),
        ("node", record.node, record.node),
        ("app", record.app, record.app),
        ("job", record.job, f"job {record.job[-6:]}"),
    )
    names = sorted(record.fields, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    return Entry(
        at=record.at,
        level=plain(record.level)[:20],
        tone=_TONES.get(record.level, ""),
        whose=tuple(Link(plain(words)[:64], narrow(field, value)) for field, value, words in whose if value),
        message=begins,
        is_cut=begins != message,
        fields=tuple(_field(name, record.fields[name]) for name in names[:_MOST_FIELDS]),
    )


def plain(text: str) -> str:
    """The text with its control characters written out, as `\\x1b` is."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _field(name: str, value: Any) -> Field:
    text = plain(value if isinstance(value, str) else repr(value) if isinstance(value, list) else str(value))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ... ({len(text) - _LONGEST} more characters)"
    href = ""
    if name == "skerry.job" and PATTERN.fullmatch(text):
        href = f"/jobs/{text}"
    elif name == "skerry.node" and NODE_NAME.fullmatch(text):
        href = f"/nodes/{quote(text)}"
    return Field(plain(name)[:100], text, href, len(text) > 120 or "\n" in text)
