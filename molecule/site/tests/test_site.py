"""What an administrator asks of a whole platform: it runs jobs, and loses neither answer nor job with a controller."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.converge import Converge
from support.zips import zipped

testinfra_hosts = ["site-services"]

Machine = Callable[[str], Any]

WITHIN_S = 60.0
CONTROLLERS = ("site-first", "site-second")
PROCESSES = ("web", "scheduler", "plays")
SCRIPT = b"import sys; open(sys.argv[sys.argv.index('--output') + 1] + '/predictions.csv', 'w').write('right')"
ASK = "python3 -c 'import sys, urllib.request as one; one.urlopen(sys.argv[1], timeout=5)'"
"""Asks a web front itself, past the front door."""
MANIFEST = b"name: tool\nentrypoint: tool.py\ninputs: {required: false}\noutputs: [predictions.csv]\n"


@pytest.fixture
def app(client: httpx.Client) -> str:
    archive = zipped({"app.yml": MANIFEST, "tool.py": SCRIPT})
    client.post("/apps", files={"file": ("tool.zip", archive)}).raise_for_status()
    return "tool"


@pytest.fixture
def all_up(machine: Machine, client: httpx.Client) -> Iterator[None]:
    """For a test that stops what belongs to a controller: everything runs again afterwards."""
    yield
    for name in CONTROLLERS:
        with machine(name).sudo():
            machine(name).run_expect([0], "systemctl start skerry-web skerry-scheduler skerry-plays")
    wait_for(lambda: client.get("/health").status_code == 200)
    time.sleep(1.2)


def wait_for(condition: Any, seconds: float = WITHIN_S) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.2)
    return found


def address_of(machine: Any) -> str:
    return str(machine.ansible.get_variables()["ansible_host"])


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/jobs/{job}").raise_for_status().json()["job"]
        return found if found["state"] in ("succeeded", "failed", "cancelled") else None

    found: dict[str, Any] = wait_for(look)
    return found


def test_a_job_runs_and_its_result_is_there(client: httpx.Client, app: str) -> None:
    job = client.post("/jobs", json={"app": app}).raise_for_status().json()["job"]["id"]
    assert ended(client, job)["state"] == "succeeded"
    assert client.get(f"/jobs/{job}/outputs/predictions.csv").text == "right"


def test_the_controllers_share_their_keys_and_no_name(machine: Machine) -> None:
    kept = []
    for name in CONTROLLERS:
        one = machine(name)
        with one.sudo():
            kept.append(
                one.check_output(
                    "cat /var/lib/skerry/secrets.key /var/lib/skerry/ssh/id_ed25519 /var/lib/skerry/ssh/id_ed25519.pub"
                )
            )
            assert f"SKERRY_CONTROLLER_NAME='{name}'" in one.file("/etc/skerry/webfront.env").content_string
            assert one.file("/var/lib/skerry/ssh/id_ed25519").mode == 0o600
    assert kept[0] == kept[1]


class Load:
    """Clients that read and submit, each in a thread, and what went wrong for them."""

    def __init__(self, client: httpx.Client, app: str) -> None:
        self._client = client
        self._app = app
        self._stop = threading.Event()
        self.read = 0
        self.jobs: list[str] = []
        self.trouble: list[str] = []
        self._threads = [threading.Thread(target=one) for one in (self._reading, self._reading, self._submitting)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _reading(self) -> None:
        while not self._stop.is_set():
            self._ask(lambda: self._client.get("/jobs"))
            self.read += 1

    def _submitting(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            key = {"Idempotency-Key": f"load-{id(self)}-{number}"}
            answer = self._ask(lambda key=key: self._client.post("/jobs", json={"app": self._app}, headers=key))
            if answer is not None:
                self.jobs.append(answer.json()["job"]["id"])
            time.sleep(0.05)

    def _ask(self, send: Any) -> httpx.Response | None:
        try:
            answer: httpx.Response = send()
        except httpx.HTTPError as error:
            self.trouble.append(repr(error))
            return None
        if answer.is_error:
            self.trouble.append(f"{answer.status_code} {answer.text[:200]}")
            return None
        return answer


def test_a_front_that_is_killed_or_restarted_costs_no_client_an_answer(
    client: httpx.Client, app: str, machine: Machine, all_up: None
) -> None:
    with Load(client, app) as load:
        for how in ("systemctl kill --signal=KILL skerry-web", "systemctl restart skerry-web"):
            for name in CONTROLLERS:
                time.sleep(2)
                one = machine(name)
                with one.sudo():
                    one.run_expect([0], how)
                # It is to be there again when the other one goes, and nginx is to have forgotten that it failed.
                wait_for(lambda one=one: one.run(f"{ASK} http://{address_of(one)}:8460/api/v1/health").rc == 0)
                time.sleep(2)
    assert load.trouble == []
    assert load.read > 50
    assert len(set(load.jobs)) == len(load.jobs) > 20
    for job in load.jobs:
        assert ended(client, job)["state"] == "succeeded"


def test_the_second_controller_goes_on_alone(client: httpx.Client, app: str, machine: Machine, all_up: None) -> None:
    first = machine("site-first")
    with first.sudo():
        first.run_expect(
            [0],
            "systemctl kill --signal=KILL skerry-web skerry-scheduler skerry-plays; "
            "systemctl stop skerry-web skerry-scheduler skerry-plays",
        )
    wait_for(lambda: client.get("/health").status_code == 200)
    job = client.post("/jobs", json={"app": app}).raise_for_status().json()["job"]["id"]
    assert ended(client, job)["state"] == "succeeded"
    # A play signs in with the key that the first one made. By hand, nobody has told the node of it.
    second, node = machine("site-second"), machine("site-node")
    with second.sudo():
        key = second.check_output("cat /var/lib/skerry/ssh/id_ed25519.pub")
    node.run_expect([0], "echo %s >> ~/.ssh/authorized_keys", key)
    play = client.post("/nodes/site-node/register").raise_for_status().json()["play"]["id"]
    told = wait_for(lambda: (found := client.get(f"/plays/{play}").json()["play"])["finished_at"] and found, 120)
    assert told["state"] == "succeeded", told


@pytest.mark.parametrize("process", PROCESSES)
def test_a_unit_has_few_rights(machine: Machine, process: str) -> None:
    one = machine("site-first")
    with one.sudo():
        told = one.check_output("systemd-analyze security --no-pager skerry-%s.service", process)
    exposure = re.search(r"exposure level for \S+ ([0-9.]+)", told)
    assert exposure is not None, told
    assert float(exposure[1]) < 3.0, told


def test_check_mode_tells_a_planted_difference_and_nothing_else(machine: Machine) -> None:
    second = machine("site-second")
    with second.sudo():
        second.run_expect([0], "sed -i s/SKERRY_NODE_BACKLOG=.1./SKERRY_NODE_BACKLOG=9/ /etc/skerry/webfront.env")
    told = Converge()("--check", "--diff", "--extra-vars=site_is_up=true")
    assert told.changed == ["Write the controller's settings", Converge.RESTART]
