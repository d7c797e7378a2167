"""A place in the records survives an address; whatever was never one is refused in words."""

from __future__ import annotations

import base64

import pytest

from webfront.errors import InvalidInput
from webfront.logs.cursors import Cursor, Place, read_cursor, write_cursor

PLACES = (
    Place(1_700_000_000_000, 7, "0123456789abcdef-1f", 42),
    Place(0, -(2**63), None, 0),
    Place(253_402_300_799_999, 2**63 - 1, "a" * 64, 2**63 - 1),
)


@pytest.mark.parametrize("place", PLACES)
def test_a_cursor_is_read_back_as_it_was_written(place: Place) -> None:
    text = write_cursor(Cursor(1_700_000_000_000, place))
    assert read_cursor("before", text) == Cursor(1_700_000_000_000, place)
    assert text.replace("-", "").replace("_", "").isalnum()


def _written(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "%%%",
        "é",
        "A" * 401,
        _written("[]"),
        _written("[1,2]"),
        _written('[1,["2026-01-01",0,"a",0]]'),
        _written('[1,[1,0,{"match_all":{}},0]]'),
        _written('[1,[1,0,"a",0],"more"]'),
        _written('[1,[1,0,"a",9223372036854775808]]'),
        _written('[1,[-1,0,"a",0]]'),
        _written('[99999999999999999,[1,0,"a",0]]'),
        _written('[1.5,[1,0,"a",0]]'),
    ],
)
def test_what_was_never_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_cursor("after", text)
    assert raised.value.message == "`after` is no page's `newer`. Begin anew without it."
    assert raised.value.detail == {"field": "after"}
