"""A log record on its way: its id, and whether Elasticsearch could take it at all. `body` is one line of a message."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final

_BORN: Final = re.compile(rb'\{"event\.id": ?"([A-Za-z0-9._-]{1,64})"[,}]')
LONGEST: Final = 128 * 1024
"""Bytes of a message. Ours are below it: `wire.logs` cuts what is long, and bounds what goes together."""


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
