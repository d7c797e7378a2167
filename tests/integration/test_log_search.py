"""Log records are searched in a real Elasticsearch: each finds what is theirs, page by page, whatever is asked."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from support.elasticsearch import PrivateElasticsearch
from support.front import PASSWORD
from support.shipping import install, key_for
from support.stores import Store

from webfront.accounts.users import create_user
from webfront.application import create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.logs.searching import PAGE
from webfront.logs.visibility import Own
from webfront.settings import Settings
from wire.broker import BrokerAddress

Record = dict[str, Any]
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def key(engine: PrivateElasticsearch) -> str:
    install(engine)
    return key_for(engine, "shipper")


class Searched:
    """A front with the users ada, who administers, bob and eve, whose log records are in a stream of its own."""

    def __init__(self, settings: Settings, engine: PrivateElasticsearch) -> None:
        self.settings, self.engine = settings, engine
        publisher = Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False)
        self._app = create_app(settings, services=create_services(settings, publisher))
        self.of = {user: self._client(user) for user in ("ada", "bob", "eve")}
        self.of["ada"].post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()

    def _client(self, user: str) -> httpx.Client:
        client = httpx.Client(transport=httpx.WSGITransport(self._app), base_url="http://skerry.test")
        answer = client.post("/api/v1/tokens", json={"user": user, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    def with_settings(self, **changes: Any) -> Searched:
        return Searched(dataclasses.replace(self.settings, **changes), self.engine)

    def job_of(self, user: str) -> str:
        return str(self.of[user].post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"])

    def write(self, *records: Record) -> list[str]:
        """The records, which can be found at once; their ids."""
        lines, names = [], []
        for record in records:
            name = record.get("event.id") or f"unnamed-{next(NUMBERS)}"
            names.append(name)
            lines += [json.dumps({"create": {"_id": name}}), json.dumps(record)]
        path = f"/{self.settings.elastic_stream}/_bulk?refresh=true"
        status, answer = self.engine.request("POST", path, "\n".join([*lines, ""]))
        assert (status, answer["errors"]) == (200, False), answer
        return names

    def search(self, user: str = "ada", query: str = "") -> dict[str, Any]:
        answer = self.of[user].get(f"/api/v1/logs?{query}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def found(self, user: str = "ada", query: str = "") -> list[str]:
        return [one["message"] for one in self.search(user, query)["records"]]


@pytest.fixture
def searched(
    tmp_path: Path, store: Store, database: object, engine: PrivateElasticsearch, key: str
) -> Iterator[Searched]:
    for user in ("ada", "bob", "eve"):
        create_user(user, PASSWORD, is_admin=user == "ada")
    (tmp_path / "key").write_text(key)
    settings = Settings(
        state_dir=tmp_path / "state",
        share_dir=tmp_path / "share",
        broker_url="amqp://skerry@127.0.0.1:1/",
        broker_password_file=tmp_path / "none",
        broker_admin_url="http://127.0.0.1:1",
        database_url=store.url,
        database_password_file=store.password_file,
        plays_socket=tmp_path / "plays.sock",
        secrets_key_file=tmp_path / "secrets.key",
        elastic_url=engine.url,
        elastic_api_key_file=tmp_path / "key",
        elastic_stream=f"logs-skerry-searched{secrets.token_hex(4)}",
    )
    made = Searched(settings, engine)
    yield made
    for client in made.of.values():
        client.close()


def record(message: str, fields: Record | None = None, *, ago: float = 60.0) -> Record:
    at = datetime.fromtimestamp(time.time() - ago, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"event.id": f"r{next(NUMBERS):06}", "@timestamp": at, "message": message, **(fields or {})}


SECRET = "what-eve-alone-may-see"


@pytest.fixture
def shared(searched: Searched) -> Searched:
    """Records of bob's job and of eve's, and all that is neither's, every one of which has eve's secret in it."""
    bobs, eves = searched.job_of("bob"), searched.job_of("eve")
    not_bobs: list[Record] = [
        {"skerry.job": eves},
        {"skerry.job": eves, "user.name": "eve", "event.dataset": "skerry.app"},
        {"skerry.job": eves, "user.name": "bob", "event.dataset": "skerry.app"},
        {"skerry.job": eves, "user.name": "bob"},
        {"skerry.job": bobs, "user.name": "eve"},
        {"skerry.job": bobs, "user.name": "ada"},
        {"skerry.job": bobs, "user.name": ["bob", "eve"]},
        {"skerry.job": [bobs, eves]},
        {"skerry.job": bobs, "skerry": {"job": eves}},
        {"skerry.job": bobs, "user": {"name": "eve"}},
        {"skerry.job": bobs, "event.dataset": "nginx.access"},
        {"skerry.job": bobs, "event.dataset": "skerry.node"},
        {"skerry.job": bobs.lower()},
        {"user.name": "bob"},
        {"user.name": "bob", "event.dataset": "skerry.app"},
        {"user.name": "bob", "event.dataset": "skerry.app", "skerry.job": "01M8EP8DJEAKVT6NVQ1619QFQ8"},
        {"user.name": "eve"},
        {"service.name": "webfront", "log.level": "error"},
        {"skerry.job": bobs, "event.dataset": "skerry.measurement"},
    ]
    alike = {"skerry.node": "alpha", "skerry.app": "noop", "error.type": SECRET}
    searched.write(
        record(
            "bob one",
            {**alike, "skerry.job": bobs, "log.level": "info", "service.name": "scheduler", "error.type": "x"},
        ),
        record("bob two", {"skerry.job": bobs, "user.name": "bob", "event.dataset": "skerry.app"}),
        record("bob three", {"skerry.job": bobs, "user.name": "bob", "event.dataset": "skerry.activity"}),
        *(record(f"{SECRET} {number}", fields | alike) for number, fields in enumerate(not_bobs)),
    )
    return searched


def cursor(*place: Any, asked_at: int = 4_000_000_000_000) -> str:
    return base64.urlsafe_b64encode(json.dumps([asked_at, place]).encode()).decode().rstrip("=")


FAR, LEAST = 2**63 - 1, -(2**63)
HOSTILE = (
    "",
    "user=bob",
    f"words={SECRET}",
    "words=eve",
    "words=message:eve OR user.name:eve",
    'words=") OR user.name:(eve',
    "words=_exists_:message OR bob",
    'words={"match_all":{}}',
    "words=bob%00eve",
    "node=alpha",
    "node=*",
    'node=alpha" or user.name : *',
    "app=noop",
    "app=_all",
    "process=webfront",
    "level=debug",
    "level=error",
    "dataset=nginx.access",
    "dataset=skerry.node",
    "dataset=skerry.measurement",
    "dataset=skerry.app",
    "dataset=process",
    "from=0002-01-01&to=0002-12-31",
    "from=2026-01-01&to=2026-12-31",
    "span=90d&zone=Asia/Kolkata",
    "user=eve&user=bob",
    "user.name=eve&skerry.job=x&q=*&size=10000&index=_all",
    f"before={cursor(4_000_000_000_000, FAR, 'zzzz', FAR)}",
    f"before={cursor(4_000_000_000_000, LEAST, None, 0)}",
    f"after={cursor(0, LEAST, None, 0)}",
    f"after={cursor(0, LEAST, '', LEAST)}",
    f"after={cursor(1_700_000_000_000, FAR, 'user.name:eve', FAR)}",
)


@pytest.mark.parametrize("walls", ["both", "filter", "judgement"])
def test_nobody_sees_anothers_records_whatever_they_ask(
    shared: Searched, walls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what keeps others' records from them, each alone does; what a record says twice the latter tells apart."""
    if walls == "filter":
        monkeypatch.setattr(Own, "may_show", lambda *_: True)
    elif walls == "judgement":
        monkeypatch.setattr(Own, "clauses", lambda _: [])
    told_apart = {f"{SECRET} {number}" for number in (2, 6, 7, 8, 14, 15)} if walls == "filter" else set()
    for query in HOSTILE:
        answer = shared.of["bob"].get(f"/api/v1/logs?{query}")
        assert answer.status_code in (200, 400), (query, answer.text)
        found = {one["message"] for one in answer.json().get("records", ())}
        assert found <= {"bob one", "bob two", "bob three"} | told_apart, query
        page = shared.of["bob"].get(f"/logs?{query}")
        assert page.status_code == answer.status_code, query
        if not told_apart:
            assert SECRET not in page.text.replace(f'value="{SECRET}"', "").replace(f"words={SECRET}", ""), query
    assert set(shared.found("bob")) - told_apart == {"bob one", "bob two", "bob three"}
    assert SECRET not in "".join(shared.found("bob", "words=bob"))


def test_an_administrator_sees_all_records_and_whoever_has_no_job_none(shared: Searched) -> None:
    # All but the measurement, which is to be asked for.
    assert len(shared.found("ada")) == 21
    assert len(shared.found("ada", "dataset=skerry.measurement")) == 1
    assert len(shared.found("ada", "user=bob")) == 8
    assert set(shared.found("eve")) == {f"{SECRET} 0", f"{SECRET} 1"}
    create_user("new", PASSWORD)
    shared.of["new"] = shared._client("new")
    assert shared.found("new") == []
    fields = shared.search("bob", "dataset=process")["records"][0]["fields"]
    assert fields["message"] == "bob one"


def test_a_users_search_of_one_job_finds_all_of_it(shared: Searched) -> None:
    jobs = [one["id"] for one in shared.of["bob"].get("/api/v1/jobs").json()["jobs"]]
    assert len(jobs) == 1
    assert set(shared.found("bob", f"job={jobs[0]}")) == {"bob one", "bob two", "bob three"}
    assert shared.of["eve"].get(f"/api/v1/logs?job={jobs[0]}").status_code == 404


@pytest.mark.stores("sqlite")
def test_records_are_found_by_what_is_asked(searched: Searched) -> None:
    searched.write(
        record("the disk is nearly full", {"log.level": "warning", "service.name": "agent", "skerry.node": "alpha"}),
        record(
            "Disk failure on node-3", {"log.level": "ERROR".lower(), "service.name": "agent", "skerry.node": "beta"}
        ),
        record("it failed", {"log.level": "error", "error.type": "ValueError", "error.message": "no disk, no fun"}),
        record("GET /jobs?state=failed: 200", {"log.level": "info", "service.name": "webfront"}),
        record("epoch 7", {"event.dataset": "skerry.app", "skerry.app": "digits", "user.name": "eve"}),
        record("broker says", {"event.dataset": "rabbitmq.log", "log.level": "notice", "service.name": "rabbitmq"}),
        record("alpha: load_1m is 1", {"event.dataset": "skerry.measurement", "skerry.node": "alpha"}),
        record("long ago", ago=40 * 86400),
        record("to come", ago=-3600),
    )
    for query, expected in {
        "words=disk": {"the disk is nearly full", "Disk failure on node-3", "it failed"},
        "words=disk full": {"the disk is nearly full"},
        'words="disk full"': set(),
        'words="nearly full" DISK': {"the disk is nearly full"},
        "words=node-3": {"Disk failure on node-3"},
        "words=3-node": set(),
        "words=dis": set(),
        "words=ValueError failed": {"it failed"},
        "words=/jobs?state=failed": {"GET /jobs?state=failed: 200"},
        "level=error": {"Disk failure on node-3", "it failed"},
        "level=warning": {"the disk is nearly full", "Disk failure on node-3", "it failed"},
        "level=info&dataset=rabbitmq.log": {"broker says"},
        "process=agent&node=beta": {"Disk failure on node-3"},
        "node=alph": set(),
        "app=digits": {"epoch 7"},
        "user=eve": {"epoch 7"},
        "dataset=skerry.app": {"epoch 7"},
        # Of measurements there are so many that they are found where they are asked for.
        "node=alpha": {"the disk is nearly full"},
        "words=load_1m": set(),
        "dataset=skerry.measurement&node=alpha": {"alpha: load_1m is 1"},
        "span=90d&words=long": {"long ago"},
        # A machine's clock may be ahead: what ends now has no end.
        "words=come": {"to come"},
        "words=come&from=2026-01-01&to=2026-02-01": set(),
        "from=0002-01-01&to=0002-02-01": set(),
        "from=9998-01-01&to=9998-02-01": set(),
    }.items():
        assert set(searched.found(query=query)) == expected, query


@pytest.mark.stores("sqlite")
def test_pages_have_each_record_once_while_others_come_in(searched: Searched) -> None:
    moment = datetime.fromtimestamp(time.time() - 3000, UTC)

    def of_one_moment(number: int) -> Record:
        """Many have one time, and some no id of their own."""
        at = datetime.fromtimestamp(moment.timestamp() - number // 150, UTC).isoformat(timespec="milliseconds")
        made = record(f"record {number}") | {"@timestamp": at, "skerry.line": number}
        if number % 3 == 0:
            del made["skerry.line"]
        if number % 5 == 0:
            del made["event.id"]
        return made

    written = [
        one for start in range(0, 450, 150) for one in searched.write(*map(of_one_moment, range(start, start + 150)))
    ]
    pages, query = [], ""
    while True:
        page = searched.search(query=query)
        pages.append([one["id"] for one in page["records"]])
        # Newer ones, and some that come late, of the time that this page was about.
        searched.write(record("new", ago=1), record("late", ago=2999))
        if not page["older"]:
            break
        query = f"before={page['older']}"
    assert [len(one) for one in pages] == [PAGE] * 4 + [50]
    seen = [name for one in pages for name in one]
    assert len(seen) == len(set(seen))
    assert set(seen) == set(written)

    back, query = [], f"after={page['newer']}"
    while (page := searched.search(query=query))["records"]:
        back.append([one["message"] for one in page["records"]])
        query = f"after={page['newer']}"
    newest_first = [message for one in reversed(back) for message in one]
    assert newest_first[:10] == ["new"] * 5 + ["late"] * 5
    assert len(newest_first) == 400 + 10
    assert len(set(newest_first)) == 400 + 2
    assert (page["older"], page["newer"]) == ("", "")


@pytest.mark.stores("sqlite")
def test_lines_of_one_moment_stand_in_their_order(searched: Searched) -> None:
    lines = [record(f"line {number}", {"skerry.line": number}) for number in range(1, 13)]
    at = lines[0]["@timestamp"]
    searched.write(*({**one, "@timestamp": at} for one in lines))
    assert searched.found() == [f"line {number}" for number in range(12, 0, -1)]


@pytest.mark.stores("sqlite")
def test_the_page_shows_what_the_call_says_and_its_links_lead_on(searched: Searched) -> None:
    job = searched.job_of("ada")
    hostile = "<script>alert(1)</script> \x1b[31m \u202e txt.exe"
    searched.write(
        *(record(f"record {number}", ago=1000 - number) for number in range(150)),
        record(hostile, {"skerry.job": job, "skerry.node": "alpha", "service.name": "scheduler", "log.level": "error"}),
        record("x" * 16_000, {"error.stack_trace": "Traceback:\n  here"}),
    )
    page, call = searched.of["ada"].get("/logs?zone=Europe/Berlin").text, searched.search(query="zone=Europe/Berlin")
    assert page.count('<bdi class="said">') == len(call["records"]) == PAGE
    for one in call["records"][2:]:
        assert f">{one['message']}<" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\x1b[31m \\u202e txt.exe" in page
    assert "x" * 1001 + "<" not in page.partition("<details>")[0]
    assert "Traceback:\n  here" in page
    links = [unescape(one.partition('"')[0]) for one in page.split('href="')[1:]]
    for wanted in (f"job={job}", "node=alpha", "process=scheduler"):
        assert f"/logs?zone=Europe%2FBerlin&{wanted}" in links
    (older,) = [one for one in links if "before=" in one]
    assert "zone=Europe%2FBerlin" in older
    second = searched.of["ada"].get(older).text
    assert second.count('<bdi class="said">') == 52
    (newer,) = [unescape(one.partition('"')[0]) for one in second.split('href="')[1:] if "after=" in one]
    first_again = searched.of["ada"].get(newer).text
    assert first_again.count('<bdi class="said">') == PAGE
    for one in call["records"][2:]:
        assert f">{one['message']}<" in first_again


@pytest.mark.stores("sqlite")
def test_half_a_character_in_a_record_breaks_no_answer(searched: Searched) -> None:
    lone = json.dumps(record("half \ud800 of it") | {"event.id": "half"})
    path = f"/{searched.settings.elastic_stream}/_bulk?refresh=true"
    searched.engine.request("POST", path, '{"create":{"_id":"half"}}\n' + lone + "\n")
    assert searched.of["ada"].get("/logs").status_code == 200
    assert searched.of["ada"].get("/api/v1/logs").status_code == 200


@pytest.fixture
def stopped(engine: PrivateElasticsearch) -> Iterator[Callable[[], None]]:
    """Elasticsearch is there and says nothing, as one that has no memory left does."""
    assert engine.process is not None
    processes = psutil.Process(engine.process.pid).children(recursive=True)

    def stop() -> None:
        for one in processes:
            one.suspend()

    yield stop
    for one in processes:
        one.resume()


@pytest.mark.stores("sqlite")
def test_an_elasticsearch_that_says_nothing_holds_up_few_and_not_for_long(
    searched: Searched, stopped: Callable[[], None]
) -> None:
    searched = searched.with_settings(web_threads=8)
    searched.write(record("there"))
    assert searched.found() == ["there"]
    stopped()
    told: list[tuple[float, int, str]] = []

    def ask() -> None:
        begun = time.monotonic()
        answer = searched.of["bob"].get("/api/v1/logs")
        told.append((time.monotonic() - begun, answer.status_code, answer.json()["error"]["message"]))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for _, status, _ in told} == {503}
    told.sort()
    assert [words.partition(".")[0] for _, _, words in told] == (
        ["Many ask Elasticsearch at this moment"] * 4 + ["Elasticsearch does not answer now"] * 2
    )
    assert told[3][0] < 2
    assert told[-1][0] < 5
    begun = time.monotonic()
    page = searched.of["ada"].get("/logs")
    assert (page.status_code, time.monotonic() - begun < 5) == (503, True)
    assert "it did not answer within 4 s" in page.text


@pytest.mark.stores("sqlite")
def test_what_elasticsearch_refuses_is_said_in_words(searched: Searched, tmp_path: Path) -> None:
    for client, shown in (("ada", True), ("bob", False)):
        answer = searched.of[client].get("/api/v1/logs")
        message = answer.json()["error"]["message"]
        assert answer.status_code == 503
        assert message.startswith("Elasticsearch does not let the platform search the log records.")
        assert (f"there is no data stream {searched.settings.elastic_stream}" in message) is shown
    searched.write(record("there"))
    assert searched.found() == ["there"]
    (tmp_path / "key").write_text("d3Jvbmc6a2V5")
    answer = searched.with_settings().of["ada"].get("/api/v1/logs")
    assert answer.status_code == 503
    assert "Check SKERRY_ELASTIC_API_KEY_FILE" in answer.json()["error"]["message"]
