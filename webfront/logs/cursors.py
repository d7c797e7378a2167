"""Where a page of log records ends, for an address: the order's values of its last record, and when it all began.

Records stand in the order of their time, the newest first; those of one moment by their line, since an app's lines come
many at once, and then by their id. A record that had none when it was born is told from others by its number in the
index. What comes in later changes nothing of that order, so that each record is passed once.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from webfront.errors import InvalidInput

_LONGEST: Final = 400
_Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
"""Milliseconds since the epoch, to the end of the year 9999."""

_ORDER: Final = (("@timestamp", "date"), ("skerry.line", "long"), ("event.id", "keyword"), ("_seq_no", ""))


class Place(NamedTuple):
    """A record's place in the order."""

    at: _Moment
    line: _Long
    """Without one the least number there is."""
    name: str | None
    number: _Long


class Cursor(NamedTuple):
    asked_at: _Moment
    """When the first page was asked for: where a span ends on each page that follows."""
    place: Place


def order(*, newest_first: bool) -> list[dict[str, Any]]:
    """The order, as Elasticsearch takes it. What lacks a value comes last, and going the other way first."""
    way, lacking = ("desc", "_last") if newest_first else ("asc", "_first")
    found: list[dict[str, Any]] = []
    for field, kind in _ORDER:
        how = {"order": way} | ({"unmapped_type": kind, "missing": lacking} if kind else {})
        found.append({field: how})
    return found


def write_cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(field: str, text: str) -> Cursor:
    """InvalidInput for what was never one."""
    try:
        if len(text) > _LONGEST:
            raise ValueError
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars="-_", validate=True), type=Cursor)
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        words = f"`{field}` is no page's `{'older' if field == 'before' else 'newer'}`. Begin anew without it."
        raise InvalidInput(words, detail={"field": field}) from error
