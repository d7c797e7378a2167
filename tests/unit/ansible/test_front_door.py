"""What the role nginx says of the web front is what the web front says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from webfront import application
from webfront.accounts import throttle
from webfront.application import WebFront
from webfront.pages import static
from webfront.web import bodies

ROLE = Path(__file__).resolve().parents[3] / "roles/nginx"
CONFIGURATION = (ROLE / "templates/etc/nginx/nginx.conf.j2").read_text(encoding="utf-8")


def load(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))
    return found


def test_its_own_answers_have_the_fronts_headers() -> None:
    said = {header["name"]: header["value"] for header in load("vars/main.yml")["_nginx_headers"]}
    assert dict(application._SECURITY_HEADERS).items() <= said.items()
    name, value = application._TRANSPORT
    assert (name, value) == (
        "Strict-Transport-Security",
        f"max-age={load('defaults/main.yml')['nginx_hsts_max_age_s']}",
    )


def test_an_upload_may_be_as_large_as_there() -> None:
    webfront = yaml.safe_load((ROLE.parent / "webfront/defaults/main.yml").read_text(encoding="utf-8"))
    assert load("defaults/main.yml")["nginx_max_upload_mb"] == webfront["webfront_max_upload_mb"]
    assert bodies.SMALL == 2**20
    assert "    client_max_body_size 1m;" in CONFIGURATION
    assert "client_max_body_size {{ nginx_max_upload_mb + 1 }}m;" in CONFIGURATION


def test_every_form_with_a_file_may_be_large(app: WebFront) -> None:
    takes = set()
    for route in app.routes:
        operation = route.config.get("operation")
        if route.config.get("upload") or (operation is not None and operation.form is not None):
            takes.add(re.sub(r"<[^>]*>", "one", route.rule))
    patterns = [*load("vars/main.yml")["_nginx_upload_paths"], "/api/v1/jobs"]
    matched = {path for path in takes if any(re.fullmatch(pattern, path) for pattern in patterns)}
    assert takes == matched
    assert all(any(re.fullmatch(pattern, path) for path in takes) for pattern in patterns)


def test_the_front_is_the_first_to_limit_tries_to_sign_in() -> None:
    assert load("defaults/main.yml")["nginx_sign_in_burst"] >= throttle.TRIES_PER_CLIENT
    assert f"nginx_sign_in_burst >= {throttle.TRIES_PER_CLIENT}" in (ROLE / "tasks/preflight.yml").read_text()


def test_both_ways_of_signing_in_are_limited(app: WebFront) -> None:
    ways = {route.rule for route in app.routes if route.config.get("action") in ("session.begin", "token.issue")}
    blocks = re.findall(r"location = (\S+) \{\n\s+limit_req zone=skerry_sign_in", CONFIGURATION)
    assert ways == set(blocks)


def test_static_files_have_the_fronts_types_and_are_kept_as_long() -> None:
    types = dict(re.findall(r"^ {16}(text/css|text/javascript|image/svg\+xml|font/woff2) (\w+);", CONFIGURATION, re.M))
    assert {f".{ending}": kind for kind, ending in types.items()} == static._TYPES
    assert f'"~^ (200|206|304) /static/.*\\.woff2$" "{static._KEEP}";' in CONFIGURATION
    assert f'"~^ (200|206|304) /static/" "{static._REVALIDATE}";' in CONFIGURATION


def test_who_is_signed_in_is_asked_where_the_front_tells_it(app: WebFront) -> None:
    assert "proxy_pass http://skerry_kept/api/v1/me;" in CONFIGURATION
    assert "/api/v1/me" in {route.rule for route in app.routes}
