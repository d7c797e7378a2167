"""The API's description and reference are made from what its routes say, and a route that says nothing is refused."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import bottle
import httpx
import msgspec
import pytest

from webfront.api.description import calls, describe, reference
from webfront.application import WebFront

PROJECT = Path(__file__).resolve().parents[3]


def test_openapi_is_what_the_routes_say(app: WebFront, browse: Callable[..., httpx.Client]) -> None:
    routes = {(route.method, route.rule) for route in app.routes if route.rule.startswith("/api/")}
    described = {(method.upper(), path) for path, methods in describe(app)["paths"].items() for method in methods}
    assert described == {(method, re.sub(r"<(\w+)[^>]*>", r"{\1}", rule)) for method, rule in routes}
    assert browse().get("/api/v1/openapi.json").content == msgspec.json.encode(describe(app))


def test_each_reference_leads_somewhere(app: WebFront) -> None:
    found = describe(app)
    names = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert names <= set(found["components"]["schemas"])


def test_the_documentation_has_the_calls_as_the_routes_say_them(app: WebFront) -> None:
    page = (PROJECT / "docs/api.md").read_text(encoding="utf-8")
    with_calls = runpy.run_path(str(PROJECT / "docs/reference.py"))["with_calls"]
    assert page == with_calls(page, reference(app)), "run `python docs/reference.py`"


def test_a_route_that_does_not_say_what_it_is_is_refused() -> None:
    app = bottle.Bottle()
    app.get("/api/v1/secret")(lambda: "")
    with pytest.raises(ValueError, match="/api/v1/secret does not say what it is"):
        list(calls(app))


def test_only_what_says_so_is_open_to_everyone(app: WebFront, browse: Callable[..., httpx.Client]) -> None:
    client = browse()
    for call in calls(app):
        address = "/api/v1" + re.sub(r"{(\w+)}", "1", call.path)
        status = client.request(call.method, address).status_code
        assert (status == 401) != call.public, (call.method, call.path, status)
