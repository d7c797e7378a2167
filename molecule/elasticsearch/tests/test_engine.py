"""What a platform asks of its Elasticsearch: whom it knows gets in, each may what it must, and records stay."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.converge import Converge

STREAM = "logs-skerry-default"
SECRETS = "/etc/skerry-elastic"
WITHIN_S = 90.0
PASSWORD = "the-password-of-the-inventory"
ELASTIC_PASSWORD = "Keep the superuser's password"
CERTIFICATE = [
    "Sign the server's certificate",
    "Write the certificate and its key",
    "Give it its certificate without the key",
]
KEYS = ["Keep the keys of those who write and read log records", "Keep Kibana's token"]
"""Tasks that change what is named so."""


class Search:
    """The machine of the scenario, and its Elasticsearch as seen from the machine that runs the tests."""

    def __init__(self, host: Any, folder: Path) -> None:
        self.host = host
        self.address: str = host.ansible.get_variables()["ansible_host"]
        self.ca_file = folder / "ca.crt"
        self.ca_file.write_text(self.as_root("cat %s", f"{SECRETS}/ca.crt"))

    def as_root(self, command: str, *arguments: str) -> str:
        with self.host.sudo():
            return str(self.host.check_output(command, *arguments))

    def secret(self, name: str) -> str:
        return self.as_root("cat %s", f"{SECRETS}/{name}").strip()

    def ask(
        self, method: str, path: str, body: Any = None, *, who: str = "elastic", **more: Any
    ) -> tuple[int, dict[str, Any]]:
        """As the superuser, or by a key's name; a text is sent as lines of JSON."""
        headers, auth = {}, None
        if who == "elastic":
            auth = (who, self.secret("elastic-password"))
        elif who == "kibana":
            headers["Authorization"] = f"Bearer {self.secret('keys/kibana')}"
        elif who:
            headers["Authorization"] = f"ApiKey {self.secret(f'keys/{who}')}"
        return self.as_who(method, path, body, headers, auth, **more)

    def as_who(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, auth: Any = None
    ) -> tuple[int, dict[str, Any]]:
        content = body if isinstance(body, str) or body is None else json.dumps(body)
        kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        with httpx.Client(verify=trust, timeout=30) as client:
            answer = client.request(
                method,
                f"https://{self.address}:9200{path}",
                content=content,
                headers={**(headers or {}), "Content-Type": kind},
                auth=auth,
            )
        return answer.status_code, answer.json() if answer.content else {}

    def create(self, *ids: str, who: str = "shipper", place: str = STREAM, action: str = "create") -> list[int]:
        """What is answered for each record."""
        lines = []
        for one in ids:
            lines.append(json.dumps({action: {"_id": one}}))
            if action != "delete":
                lines.append(json.dumps({"@timestamp": "2026-01-01T00:00:00Z", "event.id": one, "message": "hello"}))
        status, answer = self.ask("POST", f"/{place}/_bulk", "\n".join([*lines, ""]), who=who)
        return [next(iter(item.values()))["status"] for item in answer["items"]] if status == 200 else [status]

    def times(self, one: str) -> int:
        """How many documents of this id are there, in whichever index."""
        self.ask("POST", f"/{STREAM}/_refresh")
        answer = self.ask("POST", f"/{STREAM}/_count", {"query": {"ids": {"values": [one]}}})[1]
        return int(answer["count"])

    def answers_again(self) -> None:
        until = time.monotonic() + WITHIN_S
        while True:
            try:
                if self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")[0] == 200:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < until, "it did not come back"
            time.sleep(0.5)

    def pid(self) -> str:
        return self.as_root("systemctl show --property MainPID --value elasticsearch.service").strip()

    def fingerprint(self) -> str:
        shown = ssl.get_server_certificate((self.address, 9200), timeout=10)
        return str(hash(shown))


@pytest.fixture
def search(host: Any, tmp_path: Path) -> Search:
    return Search(host, tmp_path)


def new() -> str:
    return uuid.uuid4().hex


def test_it_speaks_tls_alone_and_by_a_certificate_for_its_names(search: Search) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{search.address}:9200/", timeout=10)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"https://{search.address}:9200/", timeout=10)
    assert search.ask("GET", "/_security/_authenticate")[0] == 200
    names = search.as_root("openssl x509 -in /etc/elasticsearch/tls/server.crt -noout -ext subjectAltName")
    for name in (search.address, "elasticsearch-13", "localhost", "127.0.0.1"):
        assert name in names


def test_to_other_members_it_speaks_on_its_own_machine_alone(search: Search) -> None:
    with search.host.sudo():
        listening = search.host.check_output("ss -Hltn 'sport = :9300' | awk '{print $4}'").split()
    assert listening
    assert all(one.startswith(("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]")) for one in listening), listening


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic ZWxhc3RpYzo="},
        {"Authorization": "Basic ZWxhc3RpYzpjaGFuZ2VtZQ=="},
        {"Authorization": "ApiKey bm9ib2R5OnRoZXJl"},
        {"Authorization": "Bearer AAEAAWVsYXN0aWMva2liYW5hL3NrZXJyeTpub3RoaW5n"},
    ],
    ids=["nobody", "no password", "the password of old", "no key", "no token"],
)
def test_whom_it_does_not_know_it_refuses(search: Search, headers: dict[str, str]) -> None:
    for path in ("/", "/_cluster/health", f"/{STREAM}/_search", "/_security/_authenticate"):
        assert search.as_who("GET", path, headers=headers)[0] == 401, path


RIGHTS: list[tuple[str, str, Any, dict[str, int]]] = [
    ("GET", "/_security/_authenticate", None, {"shipper": 200, "logstash": 200}),
    ("GET", "/_cluster/health", None, {"shipper": 200, "logstash": 200}),
    ("POST", f"/{STREAM}/_search", {"query": {"ids": {"values": ["x"]}}}, {"shipper": 200, "logstash": 200}),
    ("POST", f"/{STREAM}/_search", {"aggs": {"by": {"terms": {"field": "user.name"}}}}, {"shipper": 200}),
    ("POST", f"/{STREAM}/_refresh", None, {"shipper": 200, "logstash": 403}),
    ("POST", f"/{STREAM}/_rollover", None, {"shipper": 403, "logstash": 403}),
    ("POST", f"/{STREAM}/_delete_by_query", {"query": {"match_all": {}}}, {"shipper": 403, "logstash": 403}),
    ("POST", f"/{STREAM}/_update_by_query", {"query": {"match_all": {}}}, {"shipper": 403, "logstash": 403}),
    ("PUT", f"/{STREAM}/_mapping", {"properties": {}}, {"shipper": 403, "logstash": 403}),
    ("PUT", f"/{STREAM}/_settings", {"index": {"refresh_interval": "1s"}}, {"shipper": 403, "logstash": 403}),
    ("POST", f"/{STREAM}/_close", None, {"shipper": 403, "logstash": 403}),
    ("DELETE", f"/{STREAM}", None, {"shipper": 403, "logstash": 403}),
    ("POST", "/logs-other-default/_search", {}, {"shipper": 403, "logstash": 403}),
    ("POST", "/_search", {}, {"shipper": 200, "logstash": 200}),
    ("GET", "/.security/_search", None, {"shipper": 403, "logstash": 403}),
    ("PUT", "/_index_template/skerry-logs", {"index_patterns": ["x"]}, {"shipper": 403, "logstash": 403}),
    ("PUT", "/_cluster/settings", {"persistent": {"action.x": "y"}}, {"shipper": 403, "logstash": 403}),
    ("GET", "/_security/user", None, {"shipper": 403, "logstash": 403}),
    ("PUT", "/_security/user/mine", {"password": "x" * 16, "roles": []}, {"shipper": 403, "logstash": 403}),
    ("PUT", "/_security/api_key", {"name": "mine"}, {"shipper": 403, "logstash": 403}),
    ("PUT", "/_security/user/elastic/_password", {"password": "x" * 16}, {"shipper": 403, "logstash": 403}),
]
"""What each key is answered; to a search of everything, what it may see."""


@pytest.mark.parametrize(("method", "path", "body", "expected"), RIGHTS)
def test_a_key_may_what_it_must(search: Search, method: str, path: str, body: Any, expected: dict[str, int]) -> None:
    assert search.create(new()) == [201]
    assert {who: search.ask(method, path, body, who=who)[0] for who in expected} == expected


@pytest.mark.parametrize("who", ["shipper", "logstash"])
def test_a_key_writes_records_of_the_platform_and_changes_none(search: Search, who: str) -> None:
    one = new()
    assert search.create(one, who=who) == [201]
    assert search.create(one, who=who) == [409]
    # Through the stream nobody may, and of the index behind it who has the right.
    index = max(search.ask("GET", f"/{STREAM}?features=aliases")[1])
    for action in ("index", "delete"):
        assert search.create(one, who=who, action=action) == [400]
    assert search.create(one, who=who, action="delete", place=index) == [403]
    assert search.create(new(), who=who, place="logs-other-default") == [403]
    assert search.times(one) == 1


def test_kibanas_token_is_its_service_accounts(search: Search) -> None:
    status, found = search.ask("GET", "/_security/_authenticate", who="kibana")
    assert (status, found["username"]) == (200, "elastic/kibana")
    assert search.ask("GET", "/_security/user", who="kibana")[0] == 403


def test_an_id_that_was_written_before_a_rollover_is_found_after_it(search: Search) -> None:
    one, other = new(), new()
    assert search.create(one) == [201]
    before = search.ask("GET", f"/{STREAM}?features=settings")[1]
    assert search.ask("POST", f"/{STREAM}/_rollover")[1]["rolled_over"] is True
    after = search.ask("GET", f"/{STREAM}?features=settings")[1]
    assert len(after) == len(before) + 1
    found = search.ask("POST", f"/{STREAM}/_search", {"query": {"ids": {"values": [one, other]}}}, who="shipper")[1]
    # What was written a moment ago is there once it is refreshed, which the shipper may ask for.
    search.ask("POST", f"/{STREAM}/_refresh", who="shipper")
    found = search.ask("POST", f"/{STREAM}/_search", {"query": {"ids": {"values": [one, other]}}}, who="shipper")[1]
    assert [hit["_id"] for hit in found["hits"]["hits"]] == [one]
    assert search.create(other) == [201]
    newest = max(after)
    settings = after[newest]["settings"]["index"]
    assert (settings["codec"], settings["refresh_interval"]) == ("best_compression", "5s")


def test_records_and_keys_outlive_a_restart_and_a_kill(search: Search) -> None:
    one = new()
    assert search.create(one) == [201]
    search.as_root("systemctl restart elasticsearch.service")
    search.answers_again()
    assert search.times(one) == 1
    before = search.pid()
    search.as_root("kill -KILL %s", before)
    time.sleep(1)
    search.answers_again()
    assert search.pid() not in ("0", before)
    assert search.times(one) == 1
    assert search.create(one) == [409]
    assert search.host.service("elasticsearch").is_enabled


def test_no_other_user_of_the_machine_reads_its_data_and_secrets(search: Search) -> None:
    places = "/etc/elasticsearch /etc/skerry-elastic* /var/lib/elasticsearch /var/log/elasticsearch"
    done = search.host.run(f"find {places} -type f -readable 2>/dev/null")
    assert done.stdout == ""
    secrets = [search.secret(name) for name in ("elastic-password", "keys/shipper", "keys/logstash", "keys/kibana")]
    said = search.as_root("journalctl --no-pager; cat /var/log/elasticsearch/*; ps -eo args")
    assert [secret for secret in secrets if secret in said] == []
    # Elasticsearch itself cannot change its programs and settings.
    for place in ("/opt/elasticsearch", "/etc/elasticsearch"):
        found = search.as_root("runuser -u elasticsearch -- env --chdir=/ find %s -writable ! -type l", place)
        assert [one for one in found.split() if one not in _ITS_OWN] == []


_ITS_OWN = {"/etc/elasticsearch/elasticsearch.keystore"}
"""As Elastic's own package has it: a later release may renew its form."""


def test_what_was_changed_by_hand_is_told_and_then_undone(search: Search) -> None:
    differences = [
        "Write its settings",
        "Write how much memory it has",
        Converge.RESTART,
        "Keep what the fields of log records are",
        "Keep the template of log records",
        "Have the next records follow changed templates",
        "Keep the keys of those who write and read log records",
    ]
    key = search.ask("GET", "/_security/_authenticate", who="shipper")[1]["api_key"]["id"]
    wider = {"role_descriptors": {"all": {"cluster": ["all"]}}}
    assert search.ask("PUT", f"/_security/api_key/{key}", wider)[0] == 200
    assert search.ask("PUT", "/_security/api_key", {"name": "skerry-logstash"})[0] == 200
    planted = {"template": {"settings": {"index": {"codec": "default"}}}}
    assert search.ask("PUT", "/_component_template/skerry-logs@settings", planted)[0] == 200
    template = search.ask("GET", "/_index_template/skerry-logs")[1]["index_templates"][0]["index_template"]
    assert search.ask("PUT", "/_index_template/skerry-logs", {**template, "priority": 7})[0] == 200
    search.as_root("sed -i 's/^cluster.name.*/cluster.name: \"other\"/' /etc/elasticsearch/elasticsearch.yml")
    search.as_root("sed -i s/512m/600m/ /etc/elasticsearch/jvm.options.d/skerry.options")

    told = Converge()("--check", "--diff")
    assert told.changed == differences
    assert '-cluster.name: "other"' in told.output
    assert '"index.codec": "best_compression"' in told.output
    assert "best_compression" not in str(search.ask("GET", "/_component_template/skerry-logs@settings"))

    assert Converge()().changed == differences
    assert search.ask("GET", "/_security/user", who="shipper")[0] == 403
    keys = search.ask("GET", "/_security/api_key?active_only=true&name=skerry-*")[1]["api_keys"]
    assert sorted(one["name"] for one in keys) == ["skerry-dashboards", "skerry-logstash", "skerry-shipper"]


def test_a_password_keys_and_a_certificate_are_changed_in_one_run_and_nothing_else(search: Search) -> None:
    """Whatever a run changes is named, so each of these shows as well that the run before it left nothing to change."""
    made, before = search.secret("elastic-password"), search.secret("keys/shipper")
    pid, shown = search.pid(), search.fingerprint()

    def keys_count() -> list[int]:
        return [
            search.as_who("GET", "/_security/_authenticate", headers={"Authorization": f"ApiKey {key}"})[0]
            for key in (before, after)
        ]

    # So much is said that a password would show, were one said.
    told = Converge()(
        "-v", "--diff", f"--extra-vars=elasticsearch_password={PASSWORD}",
        "--extra-vars=elasticsearch_keys_rotate=introduce elasticsearch_tls_rotate=certificate",
    )  # fmt: skip
    assert told.changed == [*CERTIFICATE, ELASTIC_PASSWORD, *KEYS]
    # The password is another, and the one of before counts no more.
    assert search.secret("elastic-password") == PASSWORD
    for password, status in ((PASSWORD, 200), (made, 401)):
        assert search.as_who("GET", "/_cluster/health", auth=("elastic", password))[0] == status
    # There is no moment in which no key counts.
    after = search.secret("keys/shipper")
    assert keys_count() == [200, 200]
    # The certificate is shown without a restart.
    until = time.monotonic() + WITHIN_S
    while search.fingerprint() == shown:
        assert time.monotonic() < until
        time.sleep(1)
    assert search.pid() == pid
    assert search.ask("GET", "/_cluster/health")[0] == 200

    # The next run retires the keys, and without a password in the inventory the one that counts stays.
    retired = Converge()("-v", "--diff")
    assert retired.changed == KEYS
    assert keys_count() == [401, 200]
    assert search.secret("elastic-password") == PASSWORD
    # Until another is asked for.
    another = Converge()("-v", "--diff", "--extra-vars=elasticsearch_password_rotate=introduce")
    assert another.changed == [ELASTIC_PASSWORD]
    assert search.secret("elastic-password") not in (made, PASSWORD)
    assert search.ask("GET", "/_cluster/health")[0] == 200
    secrets = (PASSWORD, made, search.secret("elastic-password"), before, after)
    said = told.output + retired.output + another.output
    assert [secret for secret in secrets if secret in said] == []


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "heap-large": ({"elasticsearch_heap_mb": 400000}, "leaves a quarter of the memory free"),
    "heap-small": ({"elasticsearch_heap_mb": 100}, "heap from 512 to 31744 MB"),
    "archive": ({"elasticsearch_archive_sha256": "abc"}, "elasticsearch_archive_sha256"),
    "password": ({"elasticsearch_password": "short"}, "at least 16 characters"),
    "container": ({"elasticsearch_install_method": "container"}, "elasticsearch_image for container"),
    "running": ({"elasticsearch_install_method": "running"}, "elasticsearch_url or elasticsearch_cloud_id"),
    "tls": (
        {"elasticsearch_tls_key": "key"}, "Give both of elasticsearch_tls_certificate and elasticsearch_tls_key",
    ),
    "stream": ({"elasticsearch_stream": "other"}, "begins with logs-skerry-"),
}  # fmt: skip
"""Settings that cannot work, and words of what is said to them."""


def test_what_cannot_work_is_refused_before_anything_is_changed(search: Search, tmp_path: Path) -> None:
    before = search.pid()
    own = {
        name: value
        for name, value in search.host.ansible.get_variables().items()
        if name.startswith(("ansible_", "elasticsearch_", "scenario_"))
    }
    hosts = {name: own | given for name, (given, _) in REFUSED.items()}
    said = Converge().refusals("elasticsearch", hosts, tmp_path)
    assert {name for name, (_, words) in REFUSED.items() if words not in " ".join(said[name].split())} == set(), said
    assert search.pid() == before
