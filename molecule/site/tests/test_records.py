"""What happens on a whole platform is in Elasticsearch once, is counted there, and goes on while the keys change."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.converge import Converge
from support.search_machine import SearchMachine
from support.zips import zipped

testinfra_hosts = ["site-services"]

Machine = Callable[[str], Any]

WITHIN_S = 90.0
CONTROLLERS = ("site-first", "site-second")
LINES = ["one line", "another line", "another line"]
APP = {
    "app.yml": b"name: teller\nentrypoint: tell.py\ninputs: {required: false}\noutputs: [told.txt]\n",
    "tell.py": f"import sys; [print(line) for line in {LINES}]\n".encode()
    + b"open(sys.argv[sys.argv.index('--output') + 1] + '/told.txt', 'w').write('told')\n",
}


@pytest.fixture(scope="module")
def search(host: Any) -> SearchMachine:
    return SearchMachine(host)


@pytest.fixture
def submit(client: httpx.Client) -> Callable[[], str]:
    """Submits a job that prints `LINES`."""
    client.post("/apps", files={"file": ("teller.zip", zipped(APP))}).raise_for_status()
    return lambda: str(client.post("/jobs", json={"app": "teller"}).raise_for_status().json()["job"]["id"])


def until(holds: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.5)


def has_ended(client: httpx.Client, job: str) -> bool:
    return bool(client.get(f"/jobs/{job}").raise_for_status().json()["job"]["state"] == "succeeded")


def facts(client: httpx.Client, since: float) -> list[dict[str, Any]]:
    """What the database has of what happened, the newest first."""
    found: list[dict[str, Any]] = []
    before: dict[str, int] = {}
    while True:
        page = client.get("/activity", params={"limit": 200, **before}).raise_for_status().json()
        found += [fact for fact in page["facts"] if fact["at"] >= since]
        if page["older"] is None or page["facts"][-1]["at"] < since:
            return found
        before = {"before": page["older"]}


def id_of(fact: dict[str, Any]) -> str:
    return f"fact-{fact['id']:x}-{int(fact['at'] * 1e6):x}"


def told_of(machine: Any, job: str) -> list[str]:
    """The ids of the records of a job that processes of this machine have written to its journal."""
    with machine.sudo():
        said = machine.check_output("journalctl --no-pager --output=cat --unit='skerry-*' | grep -F %s || true", job)
    records = [json.loads(line) for line in said.splitlines()]
    return [record["event.id"] for record in records if record.get("skerry.job") == job]


def counted(client: httpx.Client) -> int:
    """How many submissions the page of use counts, in Elasticsearch."""
    told = client.get("/usage", params={"function": "job.submit", "span": "24h"}).raise_for_status().json()
    assert (told["source"], told["trouble"]) == ("elasticsearch", "")
    return int(told["usage"]["succeeded"])


def test_what_a_job_does_is_there_once(
    client: httpx.Client, submit: Callable[[], str], search: SearchMachine, machine: Machine
) -> None:
    began = time.time()
    job = submit()
    until(lambda: has_ended(client, job), "the job's end")
    happened = [fact for fact in facts(client, began) if fact["job"] == job]
    assert {"job.submit", "attempt.end", "job.end"} <= {fact["kind"] for fact in happened}
    ids = [id_of(fact) for fact in happened]
    until(lambda: search.ids(ids) == sorted(ids), "each fact of the job")

    def printed() -> list[str]:
        hits = search.search({"term": {"skerry.job": job}})
        return sorted(hit["_source"]["message"] for hit in hits if hit["_source"].get("event.dataset") == "skerry.app")

    until(lambda: printed() == sorted(LINES), "each line of the app")
    told = [one for name in (*CONTROLLERS, "site-node") for one in told_of(machine(name), job)]
    assert told
    until(lambda: search.ids(told) == sorted(told), "each record of the job")


def test_every_process_of_every_machine_is_heard(search: SearchMachine) -> None:
    expected = {(name, process) for name in CONTROLLERS for process in ("webfront", "scheduler", "plays", "shipper")}

    def heard() -> set[tuple[str, str]]:
        """By the machine's name in the inventory, with which its own begins."""
        found = [hit["_source"] for hit in search.search({"exists": {"field": "service.name"}})]
        return {("-".join(one["host.name"].split("-")[:2]), one["service.name"]) for one in found}

    until(lambda: {*expected, ("site-node", "agent")} <= heard(), "a record of each")


def test_use_is_counted_in_elasticsearch(client: httpx.Client, submit: Callable[[], str]) -> None:
    job = submit()
    until(lambda: has_ended(client, job), "the job's end")
    submitted = sum(fact["kind"] == "job.submit" for fact in facts(client, 0))
    assert submitted > 0
    until(lambda: counted(client) == submitted, "that each submission is counted")


class Stream:
    """Jobs, and log records as any process sends them to the broker, while something else happens."""

    def __init__(self, submit: Callable[[], str], broker: httpx.Client) -> None:
        self._submit = submit
        self._broker = broker
        self._stop = threading.Event()
        self.jobs: list[str] = []
        self.records: list[str] = []
        self.trouble: list[str] = []
        self._threads = [
            threading.Thread(target=self._each, args=(0.05, self._tell, self.records)),
            threading.Thread(target=self._each, args=(2.0, submit, self.jobs)),
        ]

    def __enter__(self) -> Stream:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _each(self, pause_s: float, make: Callable[[], str], made: list[str]) -> None:
        while not self._stop.wait(pause_s):
            try:
                made.append(make())
            except httpx.HTTPError as error:
                self.trouble.append(repr(error))

    def _tell(self) -> str:
        name = f"stream-{id(self):x}-{len(self.records):x}"
        record = {"event.id": name, "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "message": "told"}
        message = {"properties": {"delivery_mode": 2}, "routing_key": "", "payload_encoding": "string"}
        answer = self._broker.post(
            "/exchanges/%2F/skerry.logs/publish", json={**message, "payload": f"{json.dumps(record)}\n"}
        )
        assert answer.raise_for_status().json()["routed"] is True
        return name


@pytest.fixture
def broker(host: Any) -> Iterator[httpx.Client]:
    """Its management API."""
    given = host.ansible.get_variables()
    with httpx.Client(
        base_url=f"http://{given['ansible_host']}:15672/api",
        auth=("skerry", given["rabbitmq_admin_password"]),
        timeout=30,
    ) as made:
        yield made


def test_keys_are_rotated_under_a_stream_of_records_and_none_is_lost(
    client: httpx.Client, submit: Callable[[], str], search: SearchMachine, broker: httpx.Client
) -> None:
    began, before = time.time(), search.secret("keys/shipper")
    with Stream(submit, broker) as stream:
        said = Converge("../../playbooks/rotate.yml")("--extra-vars=rotate=elastic").output
    after = search.secret("keys/shipper")
    assert [key for key in (before, after) if key in said] == []
    assert [search.ask("GET", "/_security/_authenticate", key=key)[0] for key in (before, after)] == [401, 200]

    last = submit()
    assert stream.trouble == []
    assert len(stream.jobs) > 10
    assert len(stream.records) > 200
    for job in (*stream.jobs, last):
        until(lambda job=job: has_ended(client, job), "the end of each job")
    happened = facts(client, began)
    assert Counter(fact["kind"] for fact in happened)["job.end"] >= len(stream.jobs) + 1
    ids = [*stream.records, *(id_of(fact) for fact in happened)]
    until(lambda: search.ids(ids) == sorted(ids), "each record and each fact once")
    lines = [f"{job}-1-{number:x}" for job in (*stream.jobs, last) for number in range(1, len(LINES) + 1)]
    until(lambda: search.ids(lines) == sorted(lines), "each line that the jobs printed, once")
    submitted = sum(fact["kind"] == "job.submit" for fact in facts(client, 0))
    until(lambda: counted(client) == submitted, "that each submission is counted")
