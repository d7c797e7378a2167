"""What happens on a whole platform is in Elasticsearch once, and is counted there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
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
