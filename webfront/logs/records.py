"""A record on its way to Elasticsearch: its id, how it is written, and whether it could be taken there at all."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from wire.logs import ECS_VERSION

_BORN: Final = re.compile(rb'\{"event\.id": ?"([A-Za-z0-9._-]{1,64})"[,}]')
LONGEST: Final = 128 * 1024
"""Bytes of a message. Ours are below it: `wire.logs` cuts what is long, and bounds what goes together."""


class Record(NamedTuple):
    """One that the platform itself makes of what it keeps."""

    name: str
    """Its id, by which a second copy is known."""
    body: bytes
    """JSON, on one line."""


def encode(name: str, fields: Mapping[str, Any]) -> Record:
    """The record of these fields, ECS's names with dots; what is None is left out."""
    given = {field: value for field, value in fields.items() if value is not None}
    return Record(name, msgspec.json.encode({"event.id": name, "ecs.version": ECS_VERSION, **given}))


def moment(at: float) -> str:
    """A time in seconds as `@timestamp` has it, to the millisecond."""
    found = datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds")
    return found.replace("+00:00", "Z")


class Poison(Exception):
    """Not a record; the words say why."""


def name_of(body: bytes) -> str:
    """The record's id: what it was born with, or for one that was not, what its content says. Poison.

    A line break would end the record in the middle of what is sent to Elasticsearch, and begin something else there.
    """
    if b"\n" in body or b"\r" in body:
        raise Poison("it is more than one line")
    if born := _BORN.match(body):
        return born[1].decode()
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Poison(f"it is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise Poison("it is no JSON object")
    return hashlib.sha256(body).hexdigest()[:32]
