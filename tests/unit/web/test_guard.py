"""What surrounds every route: who may come in, what another site may make a browser do, limits, headers, the log."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import re
from collections.abc import Callable

import httpx
import pytest

from webfront.application import WebFront
from webfront.errors import Throttled
from webfront.settings import Settings
from webfront.web import guard
from webfront.web.services import Services

Browse = Callable[..., httpx.Client]
Form = dict[str, tuple[str | None, str | bytes]]
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture
def with_session(services: Services, browse: Browse) -> tuple[httpx.Client, str]:
    """A browser's client with bob's session, and its CSRF token."""
    session = services.accounts.sign_in("bob", "correct horse", client="t")
    client = browse()
    client.cookies.set("skerry", session.token)
    return client, session.csrf_token


def submit(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
    return client.post("/api/v1/jobs", json={"app": "none"}, headers=headers)


def test_a_session_needs_its_csrf_token_to_change_anything(with_session: tuple[httpx.Client, str]) -> None:
    client, csrf = with_session
    assert client.get("/api/v1/me").json()["name"] == "bob"
    assert submit(client, {}).status_code == 403
    assert submit(client, {"X-CSRF-Token": "guess"}).status_code == 403
    assert submit(client, {"X-CSRF-Token": csrf}).status_code == 404  # past the guard: there is no such app


def test_the_csrf_token_may_be_a_field_of_the_form(with_session: tuple[httpx.Client, str]) -> None:
    client, csrf = with_session
    for token, status in ((csrf, 404), ("guess", 403)):
        form = {"app": (None, "none"), "csrf_token": (None, token)}
        assert client.post("/api/v1/jobs", files=form).status_code == status


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_is_refused_even_with_the_token(
    with_session: tuple[httpx.Client, str], headers: dict[str, str]
) -> None:
    client, csrf = with_session
    assert submit(client, {"X-CSRF-Token": csrf} | headers).status_code == 403
    assert submit(client, {"X-CSRF-Token": csrf, "Origin": "http://skerry.test"}).status_code == 404


def test_a_wrong_token_is_not_made_good_by_a_cookie(with_session: tuple[httpx.Client, str]) -> None:
    client, _ = with_session
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_route_must_name_its_action(app: WebFront) -> None:
    @app.post("/forgetful")
    def forgetful() -> str:
        return ""

    with pytest.raises(ValueError, match="names no action"):
        app.routes[-1].prepare()


def test_every_answer_has_the_security_headers(browse: Browse) -> None:
    client = browse("bob")
    for address in ("/api/v1/me", "/api/v1/none", "/nowhere", "/login"):
        headers = client.get(address).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")


def test_bodies_are_bounded(browse: Browse) -> None:
    client, nobody = browse("bob"), browse()
    assert client.post("/api/v1/apps", files={"file": ("a.py", b"x" * 4 * 2**20)}).status_code == 413
    assert client.post("/api/v1/jobs", json={"app": "x" * 2 * 2**20}).status_code == 413
    assert nobody.post("/api/v1/tokens", json={"user": "x" * 2 * 2**20, "password": ""}).status_code == 413
    assert nobody.post("/api/v1/tokens", json={"user": "x" * 20_000, "password": ""}).status_code == 413


def test_a_small_file_and_long_fields_fit_together(browse: Browse) -> None:
    """Bottle's own limit for a form's memory would refuse this one."""
    client = browse("bob")
    client.post("/api/v1/apps", files={"file": ("noop.py", b"")})
    form: Form = {
        "app": (None, "noop"),
        "parameters": (None, '{"a": "%s"}' % ("x" * 3000)),
        "input": ("i.csv", b"1" * 99_000),
    }
    assert client.post("/api/v1/jobs", files=form).status_code == 202


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n", b"--x\r\nnonsense\r\n\r\n--x--", b"\xff" * 100])
def test_broken_forms_are_refused(browse: Browse, body: bytes) -> None:
    assert browse("bob").post("/api/v1/apps", content=body, headers=BOUNDARY).status_code == 400


def test_each_action_is_one_record_without_a_secret(browse: Browse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = browse("bob")
    client.post("/api/v1/apps", files={"file": ("noop.py", b"")})
    client.post("/api/v1/jobs", json={"app": "none"})
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
    wish = {
        "name": "alpha",
        "address": "10.0.0.7",
        "ssh_user": "root",
        "private_key": key,
        "password": "one-time-secret",
    }
    client.post("/api/v1/nodes", json=wish)
    client.get("/api/v1/jobs")
    found = [vars(record) for record in caplog.records if "event.action" in vars(record)]
    assert [(one["event.action"], one["event.outcome"], one["http.response.status_code"]) for one in found] == [
        ("token.issue", "success", 201),
        ("app.upload", "success", 201),
        ("job.submit", "failure", 404),
        ("node.register", "failure", 503),
    ]
    assert {one["user.name"] for one in found} == {"bob"}
    assert found[1]["skerry.controller"] == "api.apps"
    assert found[1]["event.duration"] > 0
    everything = str([vars(record) for record in caplog.records])
    for secret in ("correct horse", "c2VjcmV0", "one-time-secret", client.headers["Authorization"][7:]):
        assert secret not in everything


def test_what_goes_wrong_inside_shows_nothing_of_it(
    app: WebFront, browse: Browse, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/api/v1/broken", access="public")
    def broken() -> str:
        raise RuntimeError("the inside")

    @app.get("/api/v1/busy", access="public")
    def busy() -> str:
        raise Throttled("later", retry_after_s=7.2)

    answer = browse().get("/api/v1/broken")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "the inside" not in answer.text
    assert "the inside" in caplog.text
    assert browse().get("/api/v1/busy").headers["Retry-After"] == "7"


def test_pages_get_pages_and_programs_get_json(browse: Browse) -> None:
    assert "/login" in browse().get("/jobs").headers["Location"]
    assert browse("bob").get("/nowhere").headers["Content-Type"].startswith("text/html")
    assert browse("bob").get("/api/v1/nowhere").json()["error"]["code"] == "not_found"
    assert browse("bob").put("/api/v1/me").json()["error"]["code"] == "method_not_allowed"


def test_the_navigation_is_what_the_pages_say(with_session: tuple[httpx.Client, str], app: WebFront) -> None:
    client, _ = with_session
    page = client.get("/jobs").text
    shown = re.findall(r'<a href="([^"]*)"(?: aria-current="page")?>(\w+)</a>', page.partition("</nav>")[0])
    assert shown == [(place.address, place.nav.words) for place in app.places if not place.nav.admin]
    assert 'aria-current="page">Jobs</a>' in page


@pytest.mark.parametrize(
    ("peer", "forwarded", "secure", "networks", "found"),
    [
        ("127.0.0.1", "10.9.9.9, 192.0.2.7", True, (), "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7", False, (), "127.0.0.1"),
        ("10.0.0.9", "192.0.2.7", True, (), "10.0.0.9"),
        ("10.0.0.9", "192.0.2.7", True, ("10.0.0.0/28",), "192.0.2.7"),
        ("10.0.0.9", "192.0.2.7", False, ("10.0.0.0/28",), "10.0.0.9"),
        ("10.0.1.9", "192.0.2.7", True, ("10.0.0.0/28", "fd00::/8"), "10.0.1.9"),
        ("fd00::9", "2001:db8::7", True, ("10.0.0.0/28", "fd00::/8"), "2001:db8::7"),
        ("10.0.0.9", "", True, ("10.0.0.0/28",), "10.0.0.9"),
    ],
)
def test_a_proxys_word_about_the_client_is_taken_and_nobody_elses(
    settings: Settings, peer: str, forwarded: str, secure: bool, networks: tuple[str, ...], found: str
) -> None:
    trusted = tuple(ipaddress.ip_network(one) for one in networks)
    behind = dataclasses.replace(settings, secure_cookies=secure, proxy_networks=trusted)
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    assert guard.client_address(behind, environ) == found
