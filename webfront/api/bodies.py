"""Reading what an API request carries, and writing what it gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import bottle
import msgspec

from webfront.errors import InvalidInput
from webfront.jobs.inputs import InputFile

T = TypeVar("T")

# A string as structured fields write it (RFC 8941, section 3.3.3); which characters may be in it is judged later.
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)")


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


def read_form(kind: type[T]) -> T:
    """The multipart form's fields as a `kind`; the field `parameters` is JSON text. InvalidInput."""
    forms = bottle.request.forms
    names = kind.__struct_fields__  # type: ignore[attr-defined]  # of msgspec's structs
    fields: dict[str, Any] = {name: forms.getunicode(name) for name in names if name in forms}
    try:
        if text := fields.pop("parameters", None):
            fields["parameters"] = msgspec.json.decode(text)
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The form cannot be used: {error}.") from error
    except msgspec.DecodeError as error:
        raise InvalidInput("`parameters` is not JSON.") from error


def is_form() -> bool:
    return str(bottle.request.content_type).lower().startswith("multipart/")


def input_file() -> InputFile | None:
    """The multipart form's file `input`."""
    file = bottle.request.files.get("input") if is_form() else None
    return None if file is None else InputFile(file.raw_filename, file.file)


def idempotency_key() -> str | None:
    """The header `Idempotency-Key`: a string in quotes, as its draft has it, or the same without them. InvalidInput."""
    given: str | None = bottle.request.get_header("Idempotency-Key")
    if given is None or not given.startswith('"'):
        return given
    if (quoted := _QUOTED.fullmatch(given)) is None:
        raise InvalidInput('The header Idempotency-Key begins with a quote, so write it as one string: "KEY".')
    return _ESCAPED.sub(r"\1", quoted[1])


def as_texts(parameters: Mapping[str, str | bool | float]) -> dict[str, str]:
    """JSON's values as an app sees them on its command line."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}


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
