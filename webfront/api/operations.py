"""How a route of the API says what it is: `operation=Operation(...)` on the route, and nowhere else.

OpenAPI's description and the reference in docs/api.md are made from it; a route of the API that says nothing is refused
when the application is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class File:
    """Stands for a file's bytes where a type is asked for."""


Fields = Mapping[str, Any]
"""The fields of a JSON object or a form by name, each with its type: a msgspec type, or `File`."""


@dataclass(frozen=True)
class Form:
    """A multipart form."""

    fields: Fields
    required: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    summary: str
    """What it does, in one line without a full stop."""
    answers: Mapping[int, Any]
    """By status: the fields of the JSON object it answers with, or the object's type, or `File`; None is empty."""
    json: type | None = None
    """The JSON body it takes."""
    json_is_optional: bool = False
    form: Form | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    """The query's parameters, with what each means."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers it may come with, with what each means,"""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    """and those its answers may have."""
