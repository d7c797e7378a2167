"""The page of log records and its call where there is no Elasticsearch, or one that is away; and who is let in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support.rabbitmq import free_ports

from webfront.application import create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.logs.views import RecordView
from webfront.pages.logwords import entry, plain
from webfront.settings import Settings
from webfront.web.services import Services
from wire.broker import BrokerAddress

from ..conftest import PASSWORD

Browse = Callable[..., httpx.Client]


@pytest.fixture
def away(settings: Settings, services: Services, tmp_path: Path) -> Iterator[Browse]:
    """Clients of a front whose Elasticsearch nobody answers for; `kibana_url` may be set."""
    (tmp_path / "key").write_text("bm9ib2R5Om5vdGhpbmc=")
    made: list[httpx.Client] = []

    def client(user: str, **more: str) -> httpx.Client:
        changed = dataclasses.replace(
            settings,
            elastic_url=f"http://127.0.0.1:{free_ports(1)[0]}",
            elastic_api_key_file=tmp_path / "key",
            **more,  # type: ignore[arg-type]
        )
        publisher = Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False)
        app = create_app(changed, services=create_services(changed, publisher))
        one = httpx.Client(transport=httpx.WSGITransport(app), base_url="http://skerry.test")
        made.append(one)
        answer = one.post("/api/v1/tokens", json={"user": user, "password": PASSWORD})
        one.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return one

    yield client
    for one in made:
        one.close()


def test_without_an_elasticsearch_the_address_says_how_to_get_one_and_nothing_leads_there(ada: httpx.Client) -> None:
    job = ada.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"]
    answer = ada.get("/logs")
    assert answer.status_code == 404
    assert "An administrator gives it one with SKERRY_ELASTIC_URL" in answer.text
    assert "<form class=" not in answer.text.partition("<main")[2]
    answer = ada.get("/api/v1/logs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_set_up")
    for path in ("/", f"/jobs/{job}", "/activity", "/usage"):
        page = ada.get(path).text
        assert "/logs" not in page, path
        assert "Kibana" not in page, path


@pytest.mark.parametrize("user", ["ada", "bob"])
def test_while_elasticsearch_is_away_a_sentence_says_so_and_nothing_else_breaks(away: Browse, user: str) -> None:
    client = away(user)
    page, answer = client.get("/logs?words=disk"), client.get("/api/v1/logs")
    assert (page.status_code, answer.status_code) == (503, 503)
    error = answer.json()["error"]
    assert error["code"] == "elastic_unavailable"
    assert error["message"].startswith("Elasticsearch does not answer now. Try again in a moment.")
    assert error["detail"] is None
    assert "Elasticsearch does not answer now." in page.text
    assert 'value="disk"' in page.text
    # Why is for administrators: it may name hosts and keys.
    assert ("It is like this" in error["message"]) is (user == "ada")
    for path in ("/", "/jobs", "/usage", "/nodes"):
        assert client.get(path).status_code == 200, path
    assert '<a href="/logs"' in client.get("/jobs").text


@pytest.mark.parametrize("query", ["words=*", "level=loud", "job=x", "before=x", "span=8d", "from=x"])
def test_what_cannot_be_asked_is_refused_on_the_page_as_in_the_api(away: Browse, query: str) -> None:
    client = away("bob")
    page, answer = client.get(f"/logs?{query}"), client.get(f"/api/v1/logs?{query}")
    assert (page.status_code, answer.status_code) == (400, 400)
    field = answer.json()["error"]["detail"]["field"]
    assert field == query.partition("=")[0]
    assert 'role="alert"' in page.text
    assert f'href="#{field}"' in page.text


def test_another_user_or_their_job_is_refused_before_anything_is_searched(away: Browse) -> None:
    ada, bob = away("ada"), away("bob")
    ada.post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()
    job = ada.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"]
    for query, status in ((f"job={job}", 404), ("job=01M8EP8DJEAKVT6NVQ1619QFQ8", 404), ("user=ada", 403)):
        answers = [bob.get(f"{path}?{query}") for path in ("/api/v1/logs", "/logs")]
        assert [answer.status_code for answer in answers] == [status, status], query
    # One that is not there and one that is somebody else's are not told apart.
    assert bob.get(f"/api/v1/logs?job={job}").json() == bob.get("/api/v1/logs?job=01M8EP8DJEAKVT6NVQ1619QFQ8").json()
    assert ada.get(f"/api/v1/logs?job={job}").status_code == 503


def test_links_into_kibana_are_there_for_administrators_alone(away: Browse) -> None:
    ada, bob = (away(user, kibana_url="https://kibana.example") for user in ("ada", "bob"))
    for client in (ada, bob):
        client.post("/api/v1/apps", files={"file": (f"noop-{id(client)}.py", b"")})
    app = bob.get("/api/v1/apps").json()["apps"][0]["name"]
    job = bob.post("/api/v1/jobs", json={"app": app}).json()["job"]["id"]
    for path, address in (
        ("/usage?span=30d&user=bob", "dashboards#/view/skerry-use?_g=(time:(from:now-30d,to:now))&amp;_a="),
        ("/activity", "dashboards#/view/skerry-audit?"),
        (f"/jobs/{job}", "discover#/?_g="),
    ):
        page = ada.get(path)
        assert f'href="https://kibana.example/app/{address}'.replace("'", "&#39;") in page.text, path
        assert "kibana" not in bob.get(path).text, path
        assert "kibana" not in page.headers["Content-Security-Policy"]
    for client in (ada, bob):
        assert f'href="/logs?job={job}"' in client.get(f"/jobs/{job}").text
    assert 'href="/logs?level=error"' in ada.get("/activity").text


def test_hostile_text_is_shown_as_it_is_and_does_nothing() -> None:
    assert plain("a\x1b[31m\x00b\u202ec\u2066\nd\te\r\ufeff") == "a\\x1b[31m\\x00b\\u202ec\\u2066\nd\te\\r\\ufeff"
    fields = {
        "message": "<script>alert(1)</script>" + "x" * 16_000,
        "skerry.job": '"><img src=x>',
        "skerry.node": "../../etc",
        "error.stack_trace": "Traceback\n  line",
        "tags": ["a", {"b": 1}],
    }
    shown = entry(RecordView.of("id", 0.0, fields), lambda field, value: f"/logs?{field}")
    assert len(shown.message) == 1000
    assert shown.is_cut
    assert [field.name for field in shown.fields][:2] == ["message", "error.stack_trace"]
    assert entry(RecordView.of("id", 0.0, {"message": "a\n" * 99}), lambda *_: "").message == "\n".join("a" * 12)
    assert not any(field.href for field in shown.fields)
    assert next(field for field in shown.fields if field.name == "error.stack_trace").is_long
