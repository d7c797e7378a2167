"""The API described in OpenAPI's words, at `/api/v1/openapi.json`, and as the table of docs/api.md.

Both are made from what each route says of itself (`webfront.api.operations`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import bottle
import msgspec

from webfront.api.operations import File, Form, Operation
from webfront.web.services import Services
from wire import VERSION

Schema = dict[str, Any]

PREFIX: Final = "/api/v1"
_WILDCARD: Final = re.compile(r"<(\w+)(?::(\w+))?[^>]*>")
_TEXT: Final[Schema] = {"type": "string"}
_WILDCARD_SCHEMAS: Final[Mapping[str, Schema]] = {"int": {"type": "integer"}}
_FILE: Final[Schema] = {"type": "string", "format": "binary"}


class ErrorBody(msgspec.Struct):
    code: str
    message: str
    detail: Any = None


class Call(NamedTuple):
    """A route of the API with what it says of itself."""

    method: str
    path: str
    """After the prefix, with its wildcards as `{name}`."""
    wildcards: Mapping[str, Schema]
    public: bool
    operation: Operation


def register(app: bottle.Bottle, services: Services) -> None:
    # Made at the first call: when this route is registered, the others are not all there yet.
    text = functools.cache(lambda: msgspec.json.encode(describe(app)))

    @app.get(
        f"{PREFIX}/openapi.json",
        access="public",
        database=False,
        operation=Operation("This description", {200: dict[str, Any]}),
    )
    def openapi() -> bytes:
        bottle.response.content_type = "application/json"
        return text()


def calls(app: bottle.Bottle) -> Iterator[Call]:
    """The API's calls, by path. ValueError for a route that does not say what it is."""
    for route in sorted(app.routes, key=lambda one: (one.rule, one.method)):
        if not route.rule.startswith(f"{PREFIX}/"):
            continue
        operation = route.config.get("operation")
        if operation is None:
            raise ValueError(f"route {route.method} {route.rule} does not say what it is: give it an operation")
        wildcards = {name: _WILDCARD_SCHEMAS.get(kind, _TEXT) for name, kind in _WILDCARD.findall(route.rule)}
        path = _WILDCARD.sub(r"{\1}", route.rule.removeprefix(PREFIX))
        yield Call(route.method, path, wildcards, route.config.get("access") == "public", operation)


def describe(app: bottle.Bottle) -> Schema:
    """The whole description, as OpenAPI 3.1."""
    found = list(calls(app))
    schemas = _Schemas(found)
    paths: dict[str, Schema] = {}
    for call in found:
        paths.setdefault(PREFIX + call.path, {})[call.method.lower()] = _operation(call, schemas)
    security = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Skerry", "version": VERSION, "description": "Run AI jobs on a handful of Linux machines."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": security},
    }


def reference(app: bottle.Bottle) -> str:
    """The calls as a table in Markdown."""
    rows = ["| call | does | answer |", "|---|---|---|"]
    for call in calls(app):
        open_to_all = " (no sign-in)" if call.public else ""
        answers = "; ".join(_told(status, answer) for status, answer in call.operation.answers.items())
        call_words = f"`{call.method} {call.path}`{_taken(call.operation)}"
        rows.append(f"| {call_words} | {call.operation.summary}{open_to_all} | {answers} |")
    return "\n".join(rows) + "\n"


class _Schemas:
    """The schemas of every type that the calls name, with the components they share."""

    def __init__(self, found: list[Call]) -> None:
        kinds: dict[Any, None] = {ErrorBody: None}
        for call in found:
            operation = call.operation
            for answer in (*operation.answers.values(), operation.json, operation.form and operation.form.fields):
                for kind in answer.values() if isinstance(answer, Mapping) else [answer]:
                    if kind is not None and kind is not File:
                        kinds[kind] = None
        schemas, self.components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        self._of: dict[Any, Schema] = dict(zip(kinds, schemas, strict=True)) | {File: _FILE}

    def of(self, answer: Any) -> Schema:
        if isinstance(answer, Mapping):
            return self.fields(answer, tuple(sorted(answer)))
        return self._of[answer]

    def fields(self, fields: Mapping[str, Any], required: tuple[str, ...]) -> Schema:
        properties = {name: self._of[kind] for name, kind in fields.items()}
        return {"type": "object", "properties": properties, "required": list(required)}


def _operation(call: Call, schemas: _Schemas) -> Schema:
    operation = call.operation
    made: Schema = {"summary": operation.summary, "responses": {}}
    made["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": schema} for name, schema in call.wildcards.items()
    ]
    made["parameters"] += [
        {"name": name, "in": place, "required": False, "description": meaning, "schema": _TEXT}
        for place, known in (("query", operation.query), ("header", operation.headers))
        for name, meaning in known.items()
    ]
    headers = {name: {"description": told, "schema": _TEXT} for name, told in operation.answer_headers.items()}
    for status, answer in operation.answers.items():
        kind = "application/octet-stream" if answer is File else "application/json"
        content = {} if answer is None else {"content": {kind: {"schema": schemas.of(answer)}}}
        made["responses"][str(status)] = {"description": operation.summary, **content}
        if headers:
            made["responses"][str(status)]["headers"] = headers
    problem = {"application/json": {"schema": schemas.of({"error": ErrorBody})}}
    made["responses"]["default"] = {"description": "What is wrong, and what to change", "content": problem}
    body: Schema = {}
    if operation.form is not None:
        form = schemas.fields(operation.form.fields, operation.form.required)
        body["multipart/form-data"] = {"schema": form}
    if operation.json is not None:
        body["application/json"] = {"schema": schemas.of(operation.json)}
    if body:
        made["requestBody"] = {"content": body, "required": not operation.json_is_optional}
    if call.public:
        made["security"] = []
    return made


def _taken(operation: Operation) -> str:
    """What a call takes, after its address."""
    taken = []
    if operation.query:
        taken.append("`?" + "&".join(f"{name}=" for name in operation.query) + "`")
    if operation.headers:
        taken.append("`" + "`, `".join(f"{name}:" for name in operation.headers) + "`")
    if operation.form is not None:
        taken.append(f"form `{_names(operation.form)}`")
    if operation.json is not None:
        fields = msgspec.structs.fields(operation.json)
        names = ", ".join(one.encode_name + ("" if one.required else "?") for one in fields)
        taken.append(f"{'or ' if operation.form else ''}JSON `{{{names}}}`")
    return "".join(f" {one}" for one in taken)


def _names(form: Form) -> str:
    return ", ".join(name + ("" if name in form.required else "?") for name in form.fields)


def _told(status: int, answer: Any) -> str:
    if answer is None:
        return str(status)
    if answer is File:
        return f"{status} the file"
    if isinstance(answer, Mapping):
        return f"{status} `{{{', '.join(answer)}}}`"
    if isinstance(answer, type) and issubclass(answer, msgspec.Struct):
        return f"{status} `{{{', '.join(one.encode_name for one in msgspec.structs.fields(answer))}}}`"
    return str(status)
