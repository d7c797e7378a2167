"""What must always hold, with everything real: two agents with their sandboxes, the scheduler, the web front, RabbitMQ.

200 jobs go in over HTTP while each process, and the broker, is killed with SIGKILL in turn, again and again; the test
starts each anew at once, as a process manager does, and nothing else. In the end each job has one outcome, its own
right result and a whole log.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.rabbitmq import PrivateRabbit, free_ports
from support.stores import Store

from webfront.broker.admission import admit, dismiss
from webfront.broker.management import Management
from webfront.broker.topology import platform_queues
from webfront.database.models import Attempt, Job, Node
from webfront.database.schema import open_database
from webfront.jobs.logs import printed_lines

PROJECT = Path(__file__).resolve().parent.parent.parent
JOBS = 200
NODES = ("alpha", "beta")
LINES = 12
TIMEOUT_S = 300

# Its result is a function of its input, which no other job has, and its log says which job wrote it.
APP = f"""
import argparse, csv, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--input", type=pathlib.Path)
parser.add_argument("--output", type=pathlib.Path)
given = parser.parse_args()
number = int(given.input.read_text())
for line in range(1, {LINES + 1}):
    print(f"line {{line}} of {{number}}", flush=True)
    time.sleep(0.02)
with (given.output / "predictions.csv").open("w", newline="") as file:
    csv.writer(file).writerows([["number", "cube"], [number, number ** 3]])
"""


class Processes:
    """What a process manager does: each process is started, and started again when it is gone."""

    def __init__(self, directory: Path, commands: dict[str, tuple[list[str], dict[str, str]]]) -> None:
        self._directory = directory
        self._commands = commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        arguments, environment = self._commands[name]
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments], env=environment, cwd=self._directory, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """SIGKILL to this process alone: what it has started lives on."""
        process = self._running[name]
        process.kill()
        process.wait()

    def revive(self) -> None:
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                self.start(name)

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


class WebFront:
    """The web front over HTTP; a request that finds it dead is made again."""

    def __init__(self, url: str, password: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=10)
        token = self._call("POST", "/tokens", json={"user": "ada", "password": password}).json()["token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def upload(self) -> None:
        files = {"file": ("cube.py", APP.encode())}
        self._call("POST", "/apps", files=files, data={"name": "cube"}).raise_for_status()

    def submit(self, number: int) -> str:
        """The accepted job. When the reply is lost with the web front, the first one stands too, and is checked too."""
        answer = self._call(
            "POST", "/jobs", data={"app": "cube"}, files={"input": (f"{number}.txt", str(number).encode())}
        )
        answer.raise_for_status()
        return str(answer.json()["job"]["id"])

    def get(self, path: str) -> httpx.Response:
        return self._call("GET", path).raise_for_status()

    def _call(self, method: str, path: str, **more: object) -> httpx.Response:
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = self._client.request(method, path, **more)  # type: ignore[arg-type]
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where slots' users may pass through to their attempts' folders, as on a node's own state directory."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def processes(broker: PrivateRabbit, bare_store: Store, directory: Path) -> Iterator[Processes]:
    for folder in ("apps", "inputs", "results"):
        (directory / "share" / folder).mkdir(parents=True)
    shared = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "SKERRY_SHARE_DIR": str(directory / "share"),
        "SKERRY_BROKER_PASSWORD_FILE": str(broker.password_file),
    }
    controller = {
        **shared,
        "SKERRY_STATE_DIR": str(directory),
        "SKERRY_BROKER_URL": broker.url,
        "SKERRY_BROKER_ADMIN_URL": broker.admin_url,
        "SKERRY_WEB_PORT": str(free_ports(1)[0]),
        **bare_store.environment,
    }
    commands = {"web": (["webfront", "web"], controller), "scheduler": (["webfront", "scheduler"], controller)}
    api = Management(broker.admin_url, broker.user, broker.password, "/")
    for queue in platform_queues(cluster=False):
        api.delete("queues", "/", queue.name)
    for offset, name in enumerate(NODES):
        password_file = directory / f"{name}.password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24))
        admit(api, name, password_file.read_text())
        agent = {
            **shared,
            "SKERRY_NODE_ID": name,
            "SKERRY_NODE_STATE_DIR": str(directory / name),
            "SKERRY_BROKER_URL": f"amqp://node-{name}@127.0.0.1:{broker.port}/",
            "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
            "SKERRY_NODE_SLOTS": "2",
            "SKERRY_HEARTBEAT_S": "1",
            "SKERRY_NODE_UID_BASE": str(60600 + 100 * offset),
        }
        commands[name] = (["node_scripts", "agent"], agent)
    password_file = directory / "ada.password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    subprocess.run(
        [sys.executable, "-m", "webfront.admin", "init", "--admin", "ada", "--password-file", str(password_file)],
        env=controller, check=True, capture_output=True,
    )  # fmt: skip
    started = Processes(directory, commands)
    started.url = f"http://127.0.0.1:{controller['SKERRY_WEB_PORT']}"  # type: ignore[attr-defined]
    yield started
    started.stop()
    for name in NODES:
        dismiss(api, name)


def test_each_job_has_one_outcome_whatever_is_killed(
    broker: PrivateRabbit, bare_store: Store, processes: Processes, directory: Path
) -> None:
    opened = open_database(bare_store.url, bare_store.password_file)
    for name in NODES:
        Node.create(name=name, state="registering", connection="local", address="", slots=2, created_at=time.time())
    for name in ("web", "scheduler", *NODES):
        processes.start(name)
    web = WebFront(processes.url, (directory / "ada.password").read_text())  # type: ignore[attr-defined]
    web.upload()
    wait_until(lambda: Node.select().where(Node.state == "active").count() == len(NODES), 30)

    accepted: dict[int, str] = {}

    def submit_all() -> None:
        for number in range(1, JOBS + 1):
            accepted[number] = web.submit(number)
            time.sleep(0.03)

    submitting = threading.Thread(target=submit_all)
    submitting.start()
    kills = 0
    deadline = time.monotonic() + TIMEOUT_S
    for victim in itertools.cycle(("alpha", "scheduler", "web", "broker", "scheduler", "beta", "web")):
        time.sleep(0.7)
        done = Job.select().where(Job.state == "succeeded").count()
        if not submitting.is_alive() and done == Job.select().count():
            break
        assert not Job.select().where(Job.state.in_(["failed", "cancelled"])).exists(), states()
        assert time.monotonic() < deadline, f"{done} of {JOBS} jobs after {TIMEOUT_S} s; {states()}"
        # The last few jobs are left to end in peace, so that the test does too; by then everything has died often.
        if kills < 24 and done < JOBS - 20:
            kills += 1
            if victim == "broker":
                broker.restart()
            else:
                processes.kill(victim)
        processes.revive()
    submitting.join()

    assert kills >= 7, "the jobs were over before everything had been killed once"
    numbers = check_rows(directory)
    assert set(accepted.values()) <= set(numbers)
    assert set(numbers.values()) == set(range(1, JOBS + 1))
    for number in (1, JOBS):
        rows = list(csv.reader(io.StringIO(web.get(f"/jobs/{accepted[number]}/outputs/predictions.csv").text)))
        assert rows == [["number", "cube"], [str(number), str(number**3)]]
        log = web.get(f"/jobs/{accepted[number]}/log").json()
        assert [line["text"] for line in log["lines"]] == [f"line {n} of {number}" for n in range(1, LINES + 1)]
        assert (log["gaps"], log["complete"]) == ([], True)
    opened.close()


def check_rows(directory: Path) -> dict[str, int]:
    """Each job in the database, also one whose reply was lost on the way: one outcome, its own result, a whole log."""
    numbers = {}
    for job in Job.select():
        number = int((directory / "share" / str(job.input)).read_text())
        numbers[job.id] = number
        assert (job.state, job.cause) == ("succeeded", "ok"), (job.id, job.state, job.cause, job.message)
        attempts = list(Attempt.select().where(Attempt.job == job).order_by(Attempt.number))
        assert [one.number for one in attempts] == list(range(1, job.attempts + 1))
        assert [one.state for one in attempts] == ["ended"] * len(attempts)
        assert [one.cause for one in attempts if one.cause == "ok"] == ["ok"]
        last = attempts[-1]
        result = directory / "share" / "results" / job.id / str(last.number) / "predictions.csv"
        assert result.read_text().split() == ["number,cube", f"{number},{number**3}"]
        assert [one["name"] for one in last.outputs] == ["predictions.csv"]
        lines = [(line.number, line.text) for line in printed_lines(directory / "share", job.id, last.number)]
        assert lines == [(n, f"line {n} of {number}") for n in range(1, LINES + 1)]
        assert last.log_lines == LINES
    return numbers


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for job in Job.select(Job.state):
        found[job.state] = found.get(job.state, 0) + 1
    return found


def wait_until(condition: object, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
