"""Reading what an API request carries, and writing what it gets."""

from __future__ import annotations

from typing import Any, TypeVar

import bottle
import msgspec

from webfront.errors import InvalidInput

T = TypeVar("T")


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """The base of JSON bodies. An unknown field is refused: a misspelt one would else be ignored in silence."""


def read_json(kind: type[T]) -> T:
    """The JSON body as a `kind`. InvalidInput says which field is wrong."""
    data = bottle.request.body.read()
    if not str(bottle.request.content_type).lower().startswith("application/json"):
        # Also what keeps another site's form from being taken for JSON.
        raise InvalidInput("Send the body as JSON, with `Content-Type: application/json`.")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The JSON body cannot be used: {error}.") from error
    except msgspec.DecodeError as error:
        raise InvalidInput("The body is not JSON.") from error


def reply(*, code: int = 200, **fields: Any) -> bytes:
    """A JSON object with these fields."""
    bottle.response.status = code
    bottle.response.content_type = "application/json"
    return msgspec.json.encode(fields)


def no_content() -> str:
    bottle.response.status = 204
    return ""


def query_text(name: str) -> str | None:
    value = bottle.request.query.getunicode(name)
    return value or None


def query_number(name: str, default: int, *, least: int = 0) -> int:
    """A whole number of the query string. InvalidInput."""
    text = bottle.request.query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < least:
        raise InvalidInput(f"{name} must be a whole number, {least} or more.")
    return int(text)
