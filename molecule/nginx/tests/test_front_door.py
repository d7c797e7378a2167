"""What a platform asks of its front door: TLS that verifies, the right front, limits, headers, and no answer lost.

Behind it stand two small servers in place of web fronts (../front.py); what they agree on with a real one is held by
tests/unit/ansible/test_front_door.py.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.trust import trust

WITHIN_S = 30.0
MIB = 2**20


@pytest.fixture
def two_fronts(host: Any) -> Iterator[None]:
    """For a test that kills or stops one: both answer again afterwards, and nginx has forgotten who failed."""
    with host.sudo():
        host.run_expect([0], "rm -f /srv/died /srv/received; systemctl start front@8461 front@8462")
    yield
    with host.sudo():
        host.run_expect([0], "systemctl start front@8461 front@8462")
    for port in (8461, 8462):
        wait_for_front(host, port)
    time.sleep(1.2)


def wait_for_front(host: Any, port: int) -> None:
    until = time.monotonic() + WITHIN_S
    while host.run("curl -sf http://127.0.0.1:%s/", str(port)).rc != 0:
        assert time.monotonic() < until, f"the front on {port} does not answer"
        time.sleep(0.2)


def process(host: Any, port: int) -> str:
    """The number of the front's process; 0 while there is none."""
    return str(host.check_output("systemctl show --property=MainPID --value front@%s", str(port)))


def received(host: Any) -> list[str]:
    with host.sudo():
        return list(host.run("cat /srv/received").stdout.splitlines())


def records(host: Any, name: str, path: str, *, least: int = 1) -> list[dict[str, Any]]:
    """The records of a log about a path, that many at least. A line is there at most a second later."""
    until = time.monotonic() + WITHIN_S
    while True:
        with host.sudo():
            lines = host.check_output("cat /var/log/nginx/%s", name).splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        matching = [one for one in found if one.get("url.path") == path]
        if len(matching) >= least:
            return matching
        assert time.monotonic() < until, f"{name} has no record about {path}"
        time.sleep(0.3)


def test_its_certificate_verifies_by_its_authority_alone(client: httpx.Client, address: str) -> None:
    assert client.get("/").status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{address}/")


@pytest.mark.parametrize(("version", "spoken"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_old_tls_is_not_spoken(host: Any, address: str, version: str, spoken: bool) -> None:
    context = trust(host)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if spoken:
        assert httpx.get(f"https://{address}/", verify=context).status_code == 200
    else:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://{address}/", verify=context)


def test_its_keys_are_roots_alone(host: Any) -> None:
    # The connection's own user is an ordinary one.
    assert host.run("find /etc/nginx/skerry/tls").rc != 0
    with host.sudo("www-data"):
        assert host.run("cat /etc/nginx/skerry/tls/ca.pem").rc != 0
    with host.sudo():
        for name in ("ca.pem", "own.pem"):
            key = host.file(f"/etc/nginx/skerry/tls/{name}")
            assert (key.user, key.mode) == ("root", 0o600)


def test_plain_http_is_sent_to_tls_and_answers_nothing_else(address: str) -> None:
    answer = httpx.post(f"http://{address}/jobs/new?a=1", content=b"x")
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{address}/jobs/new?a=1")
    assert httpx.get(f"http://{address}/static/skerry.css").status_code == 308


def test_http2_is_spoken(host: Any, address: str) -> None:
    ask = "curl -s --cacert /etc/nginx/skerry/ca.crt -o /dev/null -w '%%{http_version} %%{http_code}' https://%s/"
    assert host.check_output(ask, address) == "2 200"


def test_an_unknown_name_gets_no_answer(host: Any, address: str, client: httpx.Client) -> None:
    assert client.get("/", headers={"Host": "skerry.test"}).status_code == 200
    for scheme in ("http", "https"):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            httpx.get(f"{scheme}://{address}/", headers={"Host": "another.test"}, verify=trust(host))


def test_the_front_is_told_who_asks_and_how_and_believes_no_client(client: httpx.Client, address: str) -> None:
    lies = {"X-Forwarded-For": "10.9.9.9", "X-Forwarded-Proto": "http", "Forwarded": "for=10.9.9.9", "X-Real-IP": "::1"}
    told = client.get("/who?q=1", headers=lies).json()
    headers = told["headers"]
    assert told["path"] == "/who?q=1"
    assert headers["host"] == address
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-for"] == headers["x-real-ip"] != "10.9.9.9"
    assert "," not in headers["x-forwarded-for"]
    assert "forwarded" not in headers


def test_headers_stand_once_and_the_fronts_go_first(client: httpx.Client) -> None:
    page, own = client.get("/page"), client.post("/page", content=b"x" * (MIB + 1))
    assert (page.status_code, own.status_code) == (200, 413)
    for answer in (page, own):
        names = [name.lower() for name, _ in answer.headers.multi_items()]
        assert len(names) == len(set(names))
        assert answer.headers["Server"] == "nginx"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert page.headers["Content-Security-Policy"] == "default-src 'self'; script-src 'self'"
    assert "frame-ancestors 'none'" in own.headers["Content-Security-Policy"]


def test_what_is_too_large_is_refused_as_the_front_does_it(client: httpx.Client) -> None:
    large, signed_in = b"x" * (4 * MIB), {"Authorization": "Bearer good"}
    refused = client.post("/api/v1/jobs", content=large, headers=signed_in)
    assert refused.status_code == 413
    assert refused.json()["error"]["code"] == "too_large"
    assert "<h1>" in client.post("/apps/upload", content=large, headers=signed_in).text
    # An upload may have 2 MiB here and what surrounds it, anything else 1 MiB.
    assert client.post("/api/v1/jobs", content=b"x" * (3 * MIB), headers=signed_in).json()["body"] == 3 * MIB
    assert client.post("/api/v1/webhooks", content=b"x" * (MIB + 1), headers=signed_in).status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/apps", "/schedules/one/edit"])
def test_a_large_body_is_taken_in_for_who_is_signed_in_alone(client: httpx.Client, host: Any, path: str) -> None:
    large = b"x" * (2 * MIB)
    assert client.post(path, content=large, headers={"Authorization": "Bearer good"}).json()["body"] == 2 * MIB
    # Told by the front in its own words, which got no body.
    refused = client.post(path, content=large, headers={"Authorization": "Bearer bad"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_signed_in")
    # Nobody is asked about a small one, nor about looking at the page.
    assert client.post(path, content=b"small").status_code == 201
    assert client.get(path).status_code == 200


def test_tries_to_sign_in_are_limited_and_nothing_else_is(client: httpx.Client) -> None:
    for _ in range(3):
        assert client.get("/login").status_code == 200
    answers = [client.post("/api/v1/tokens", content=b"{}") for _ in range(30)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:20] == [201] * 20
    assert 429 in statuses
    assert answers[-1].json()["error"]["code"] == "throttled"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert client.post("/login", content=b"").status_code == 429
    assert client.get("/login").status_code == 200


def test_static_files_are_compressed_and_kept_as_the_front_says(client: httpx.Client) -> None:
    style = client.get("/static/skerry.css", headers={"Accept-Encoding": "gzip"})
    assert style.headers["Content-Encoding"] == "gzip"
    assert style.headers["Content-Type"].lower() == "text/css; charset=utf-8"
    assert style.headers["Cache-Control"] == "no-cache"
    assert "Accept-Encoding" in style.headers["Vary"]
    assert style.text == (Path(__file__).parents[3] / "webfront/static/skerry.css").read_text(encoding="utf-8")
    again = client.get("/static/skerry.css", headers={"If-None-Match": style.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-cache")
    font = client.get("/static/fonts/source-sans-3-latin-wght-normal.woff2", headers={"Accept-Encoding": "gzip"})
    assert font.headers["Cache-Control"] == "public, max-age=604800"
    assert font.headers["Content-Type"] == "font/woff2"
    assert "Content-Encoding" not in font.headers
    assert client.get("/static/none.css").status_code == 404
    # A page holds the session's token: it stays as it is.
    assert "Content-Encoding" not in client.get("/page", headers={"Accept-Encoding": "gzip"}).headers


@pytest.mark.usefixtures("two_fronts")
def test_static_files_outlive_the_fronts(client: httpx.Client, host: Any) -> None:
    assert client.get("/static/page.js").status_code == 200
    with host.sudo():
        host.run_expect([0], "systemctl stop front@8461 front@8462")
    time.sleep(1.2)
    assert client.get("/static/page.js").status_code == 200
    nothing = client.get("/api/v1/jobs")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (502, "unavailable")
    assert "<h1>Skerry does not answer</h1>" in client.get("/").text


@pytest.mark.usefixtures("two_fronts")
def test_a_front_killed_under_load_costs_no_safe_request_an_answer(host: Any, address: str) -> None:
    context, ended = trust(host), threading.Event()
    answers: list[str] = []

    def ask() -> None:
        with httpx.Client(base_url=f"https://{address}", verify=context, timeout=30) as one:
            while not ended.is_set():
                try:
                    answer = one.get("/api/v1/jobs", headers={"X-Test-Slow": "0.02"})
                    answers.append(str(answer.status_code))
                except httpx.HTTPError as error:
                    answers.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for port in (8461, 8462, 8461):
        time.sleep(1)
        killed = process(host, port)
        with host.sudo():
            host.run_expect([0], "systemctl kill --signal=KILL front@%s", str(port))
        # The one that was killed may answer for a moment yet, and the other must not go before there is a new one.
        until = time.monotonic() + WITHIN_S
        while process(host, port) in (killed, "0"):
            assert time.monotonic() < until, f"the front on {port} is not started again"
            time.sleep(0.2)
        wait_for_front(host, port)
        time.sleep(2)
    ended.set()
    for thread in threads:
        thread.join()
    assert len(answers) > 200
    assert set(answers) == {"200"}


@pytest.mark.usefixtures("two_fronts")
def test_a_post_is_sent_again_only_with_a_key_for_it(client: httpx.Client, host: Any) -> None:
    lost = client.post("/api/v1/jobs", content=b"one", headers={"X-Test": "without", "X-Test-Die": "1"})
    assert lost.status_code == 502
    assert [line.split()[2] for line in received(host)] == ["without"]
    with host.sudo():
        host.run_expect([0], "rm /srv/died")
    for port in (8461, 8462):
        wait_for_front(host, port)
    with_key = {"Idempotency-Key": '"k1"', "X-Test": "with", "X-Test-Die": "1"}
    answer = client.post("/api/v1/jobs", content=b"two", headers=with_key)
    assert (answer.status_code, answer.json()["body"]) == (201, 3)
    assert answer.json()["headers"]["idempotency-key"] == '"k1"'
    assert [line.split()[2] for line in received(host)] == ["without", "with", "with"]
    # A key where the API promises nothing for it is no leave to send twice.
    with host.sudo():
        host.run_expect([0], "rm /srv/died")
    for port in (8461, 8462):
        wait_for_front(host, port)
    elsewhere = client.post("/api/v1/webhooks", content=b"x", headers=with_key | {"X-Test": "elsewhere"})
    assert elsewhere.status_code == 502
    assert [line.split()[2] for line in received(host)].count("elsewhere") == 1


@pytest.mark.usefixtures("two_fronts")
def test_a_post_that_was_never_sent_goes_to_the_other_front(client: httpx.Client, host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "systemctl stop front@8461")
    for _ in range(6):
        assert client.post("/api/v1/webhooks", content=b"x").json()["front"] == 8462


@pytest.mark.usefixtures("two_fronts")
def test_the_logs_are_json_with_no_query_in_them(client: httpx.Client, host: Any) -> None:
    client.get("/logged?token=swordfish", headers={"User-Agent": 'a "quoted" one', "Referer": "https://x/?swordfish"})
    record = records(host, "access.log", "/logged")[-1]
    assert record["user_agent.original"] == 'a "quoted" one'
    assert record["http.response.status_code"] == 200
    assert record["http.version"] == "1.1"
    assert record["tls.version"] in ("1.2", "1.3")
    assert isinstance(record["event.duration"], int)
    assert record["@timestamp"].endswith("Z")
    client.get("/logged?token=swordfish")
    both = records(host, "access.log", "/logged", least=2)
    assert len({one["event.id"] for one in both}) == len(both)
    assert len(record["@timestamp"]) == len("2026-01-01T00:00:00.000Z")
    with host.sudo():
        host.run_expect([0], "systemctl stop front@8461 front@8462")
    assert client.get("/failed?token=swordfish").status_code == 502
    failed = records(host, "error.log", "/failed")[-1]
    assert failed["log.level"] == "error"
    assert failed["skerry.front"] in ("127.0.0.1:8461", "127.0.0.1:8462")
    with host.sudo():
        assert "swordfish" not in host.check_output("cat /var/log/nginx/access.log /var/log/nginx/error.log")


def test_it_is_walled_in_and_comes_back(host: Any, client: httpx.Client) -> None:
    service = host.service("nginx")
    assert service.is_enabled
    with host.sudo():
        shown = host.check_output("systemctl show nginx.service -p NoNewPrivileges,ProtectSystem,LimitNOFILE")
        before = host.check_output("cat /run/nginx.pid")
        host.run_expect([0], "kill -KILL %s", before)
    assert set(shown.splitlines()) >= {"NoNewPrivileges=yes", "ProtectSystem=strict", "LimitNOFILE=33792"}
    until = time.monotonic() + WITHIN_S
    while True:
        assert time.monotonic() < until, "nginx did not come back"
        try:
            assert client.get("/").status_code == 200
        except httpx.HTTPError:
            time.sleep(0.3)
        else:
            return
