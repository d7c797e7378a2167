"""Each route of the API is described in OpenAPI and in docs/api.md, and nothing is described that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from webfront.api.description import OPERATIONS, describe
from webfront.application import WebFront

PROJECT = Path(__file__).resolve().parents[3]


def test_openapi_describes_the_routes(app: WebFront, browse: Callable[..., httpx.Client]) -> None:
    routes = {
        (route.method, re.sub(r"<(\w+)[^>]*>", r"{\1}", route.rule.removeprefix("/api/v1")))
        for route in app.routes
        if route.rule.startswith("/api/")
    }
    assert routes == set(OPERATIONS)
    assert browse().get("/api/v1/openapi.json").content == msgspec.json.encode(describe())


def test_each_reference_leads_somewhere() -> None:
    text = str(describe())
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert names <= set(describe()["components"]["schemas"])


def test_the_documentation_lists_the_routes() -> None:
    text = (PROJECT / "docs/api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(GET|POST|DELETE|PUT|PATCH) (/[^`? ]*)[^`]*`", text, re.MULTILINE))
    assert listed == set(OPERATIONS)


def test_only_what_says_so_is_open_to_everyone(app: WebFront, browse: Callable[..., httpx.Client]) -> None:
    client = browse()
    for (method, path), operation in OPERATIONS.items():
        address = "/api/v1" + path.format(name="x", play_id="1", job_id="x")
        status = client.request(method, address).status_code
        assert (status == 401) != operation.public, (method, path, status)
