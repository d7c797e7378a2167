"""The API described in OpenAPI's words, at `/api/v1/openapi.json`. A test holds it against the routes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import bottle
import msgspec

from webfront.api.jobs import JobBody
from webfront.api.nodes import Credentials, NodeBody
from webfront.api.session import SignIn
from webfront.apps.views import AppView, Uploaded
from webfront.fleet.views import NodeView
from webfront.jobs.views import JobView, LogView
from webfront.plays.views import PlayEventView, PlayView
from webfront.web.health import HealthReport
from webfront.web.services import Services

Schema = dict[str, Any]


class Operation(NamedTuple):
    """One call. `answers` maps a status to the fields of its JSON object; None is an empty answer."""

    summary: str
    answers: dict[int, Schema | None]
    body: dict[str, Schema] | None = None
    """By content type."""
    query: tuple[str, ...] = ()
    public: bool = False


class Session(msgspec.Struct):
    token: str
    expires_at: float


class Me(msgspec.Struct):
    name: str
    is_admin: bool


class Problem(msgspec.Struct):
    code: str
    message: str
    detail: Any = None


_KINDS: Final = (
    AppView, Uploaded, NodeView, PlayView, PlayEventView, JobView, LogView, HealthReport, Session, Me, Problem,
    SignIn, NodeBody, Credentials, JobBody,
)  # fmt: skip
_SCHEMAS, _COMPONENTS = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
_OF: Final[dict[type, Schema]] = dict(zip(_KINDS, _SCHEMAS, strict=True))


def _fields(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": sorted(fields)}


def _many(kind: type) -> Schema:
    return {"type": "array", "items": _OF[kind]}


def _json(kind: type) -> dict[str, Schema]:
    return {"application/json": _OF[kind]}


def _form(required: tuple[str, ...], **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(required)}


_TEXT: Final[Schema] = {"type": "string"}
_FILE: Final[Schema] = {"type": "string", "format": "binary"}
_JOB: Final = _fields(job=_OF[JobView])
_NODE: Final = _fields(node=_OF[NodeView])
_PLAY: Final = _fields(play=_OF[PlayView])
_APP_FORM: Final = _form(("file",), file=_FILE, name=_TEXT)
_JOB_FORM: Final = _form(("app",), app=_TEXT, version=_TEXT, input=_FILE, parameters=_TEXT, priority=_TEXT)

OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("POST", "/tokens"): Operation("Sign in: make a token", {201: _OF[Session]}, _json(SignIn), public=True),
    ("DELETE", "/tokens/current"): Operation("Give up the token this request comes with", {204: None}),
    ("GET", "/me"): Operation("Who this token or session is", {200: _OF[Me]}),
    ("GET", "/health"): Operation("Whether all is well", {200: _OF[HealthReport], 503: _OF[HealthReport]}, public=True),
    ("GET", "/openapi.json"): Operation("This description", {200: {"type": "object"}}, public=True),
    ("GET", "/nodes"): Operation("The nodes", {200: _fields(nodes=_many(NodeView))}),
    ("GET", "/nodes/{name}"): Operation("A node", {200: _NODE}),
    ("POST", "/nodes"): Operation(
        "Register a machine", {202: _fields(node=_OF[NodeView], play=_OF[PlayView])}, _json(NodeBody)
    ),
    ("POST", "/nodes/{name}/register"): Operation("Run a registration again", {202: _PLAY}, _json(Credentials)),
    ("POST", "/nodes/{name}/drain"): Operation("Let a node finish its work and take no more", {202: _PLAY}),
    ("DELETE", "/nodes/{name}"): Operation("Take the platform off a node", {202: _PLAY}),
    ("POST", "/nodes/{name}/activate"): Operation("Let a drained node work again", {200: _NODE}),
    ("POST", "/nodes/{name}/benchmark"): Operation("Have a node measure itself", {202: _NODE}),
    ("GET", "/plays/{play_id}"): Operation("A play", {200: _PLAY}),
    ("GET", "/plays/{play_id}/events"): Operation(
        "A play and its steps after a number",
        {200: _fields(play=_OF[PlayView], events=_many(PlayEventView))},
        query=("after",),
    ),
    ("GET", "/apps"): Operation("The apps", {200: _fields(apps=_many(AppView))}),
    ("GET", "/apps/{name}"): Operation("An app with its versions", {200: _fields(app=_OF[AppView])}),
    ("POST", "/apps"): Operation(
        "Upload a zip or a .py; 200 when this content is there already",
        {201: _OF[Uploaded], 200: _OF[Uploaded]},
        {"multipart/form-data": _APP_FORM},
    ),
    ("GET", "/jobs"): Operation(
        "Jobs, newest first, without attempts and outputs",
        {200: _fields(jobs=_many(JobView))},
        query=("state", "app", "limit", "before"),
    ),
    ("POST", "/jobs"): Operation(
        "Submit a job", {202: _JOB}, {"multipart/form-data": _JOB_FORM, "application/json": _OF[JobBody]}
    ),
    ("GET", "/jobs/{job_id}"): Operation("A job with its attempts and outputs", {200: _JOB}),
    ("POST", "/jobs/{job_id}/cancel"): Operation("End a job", {202: _JOB}),
    ("GET", "/jobs/{job_id}/log"): Operation(
        "Lines of an attempt's log after a number", {200: _OF[LogView]}, query=("after", "attempt", "limit")
    ),
    ("GET", "/jobs/{job_id}/outputs/{name}"): Operation("A result file", {200: _FILE}),
}


def register(app: bottle.Bottle, services: Services) -> None:
    text = msgspec.json.encode(describe())

    @app.get("/api/v1/openapi.json", access="public", database=False)
    def openapi() -> bytes:
        bottle.response.content_type = "application/json"
        return text


def describe() -> Schema:
    """The whole description, as OpenAPI 3.1."""
    paths: dict[str, Schema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(f"/api/v1{path}", {})[method.lower()] = _operation(path, operation)
    security = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Skerry", "version": "1", "description": "Run AI jobs on a handful of Linux machines."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": _COMPONENTS, "securitySchemes": security},
    }


def _operation(path: str, operation: Operation) -> Schema:
    made: Schema = {"summary": operation.summary, "responses": {}}
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    made["parameters"] = [_parameter(name, "path") for name in names]
    made["parameters"] += [_parameter(name, "query") for name in operation.query]
    for status, schema in operation.answers.items():
        kind = "application/octet-stream" if schema is _FILE else "application/json"
        content = {} if schema is None else {"content": {kind: {"schema": schema}}}
        made["responses"][str(status)] = {"description": operation.summary, **content}
    problem = {"application/json": {"schema": _fields(error=_OF[Problem])}}
    made["responses"]["default"] = {"description": "What is wrong, and what to change", "content": problem}
    if operation.body is not None:
        made["requestBody"] = {"content": {kind: {"schema": schema} for kind, schema in operation.body.items()}}
    if operation.public:
        made["security"] = []
    return made


def _parameter(name: str, place: str) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": _TEXT}
