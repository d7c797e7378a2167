"""Sending a submission again, from outside: the command through a broken connection, and two web fronts at once."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.cut import Cut, cut
from support.front import PASSWORD, Front
from support.rabbitmq import PrivateRabbit
from support.stores import Store
from support.submitting import at_once, make_app, submission, submit

from webfront.accounts.users import create_user
from webfront.database.connection import transaction
from webfront.database.models import Fact, Job, SubmissionKey
from webfront.jobs.intake import NewJob, insert_jobs
from webfront.jobs.keys import key_of, take
from webfront.jobs.submission import Accepted

INPUT = bytes(range(256)) * 4096 * 3  # 3 MiB


@pytest.fixture
def broken(front: Front) -> Iterator[Cut]:
    with cut(front.port) as made:
        yield made


def run(front: Front, ada: httpx.Client, url: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    token = ada.headers["Authorization"].removeprefix("Bearer ")
    program = "import sys; from webfront.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, "run", "noop", *arguments],
        env=front.environment | {"SKERRY_URL": url, "SKERRY_TOKEN": token},
        capture_output=True, text=True, timeout=90,
    )  # fmt: skip


def test_the_command_sends_again_what_got_no_answer(
    front: Front, ada: httpx.Client, broken: Cut, tmp_path: Path
) -> None:
    (tmp_path / "in.bin").write_bytes(INPUT)
    broken.drop = 2
    done = run(front, ada, broken.url, "--input", tmp_path / "in.bin", "-p", "level=3")
    (job,) = Job.select()
    assert (done.returncode, done.stdout) == (0, f"{job.id}\n")
    told = done.stderr.splitlines()
    assert [line.partition("It is sent again")[2] for line in told[:2]] == [" in 1 s.", " in 2 s."]
    assert told[2] == f"job {job.id} had been accepted before"
    assert broken.dropped == 2
    assert (front.folder / "share" / str(job.input)).read_bytes() == INPUT
    assert [entry.name for entry in (front.folder / "share/inputs").iterdir()] == [job.id]
    assert Fact.select().where(Fact.kind == "job.submit").count() == SubmissionKey.select().count() == 1


@pytest.mark.stores("sqlite")
def test_who_gives_up_is_told_how_to_go_on(front: Front, ada: httpx.Client, broken: Cut) -> None:
    broken.drop = 5
    given_up = run(front, ada, broken.url)
    assert given_up.returncode == 4
    assert "It may have been accepted all the same." in given_up.stderr
    key = given_up.stderr.rpartition("--idempotency-key ")[2].strip().removesuffix(".")
    again = run(front, ada, front.url, "--idempotency-key", key)
    (job,) = Job.select()
    assert (again.returncode, again.stdout) == (0, f"{job.id}\n")
    other = run(front, ada, front.url, "--idempotency-key", key, "-p", "level=4")
    assert other.returncode == 3
    assert f"became the job {job.id}" in other.stderr
    fresh = [run(front, ada, front.url).stdout for _ in range(2)]
    assert len({*fresh, again.stdout}) == 3


def test_two_web_fronts_make_one_job_of_each_key(
    front: Front, ada: httpx.Client, broker: PrivateRabbit, store: Store
) -> None:
    second = Front(front.folder, broker, store)
    second.start()
    answers: dict[str, list[tuple[str, bool]]] = {}

    def send(url: str, key: str) -> None:
        answer = httpx.post(
            f"{url}/jobs", headers={**ada.headers, "Idempotency-Key": f'"{key}"'}, timeout=60,
            files={"app": (None, "noop"), "input": ("in.csv", b"1,2\n")},
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        answers[key].append((answer.json()["job"]["id"], "Idempotent-Replayed" in answer.headers))

    for key in (f"key {number}" for number in range(25)):
        answers[key] = []
        threads = [threading.Thread(target=send, args=(one.api, key)) for one in (front, second) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers[key]) == 6
        assert len({job for job, _ in answers[key]}) == 1
        assert sum(not replayed for _, replayed in answers[key]) == 1
    assert Job.select().count() == SubmissionKey.select().count() == 25
    assert {entry.name for entry in (front.folder / "share/inputs").iterdir()} == {row.id for row in Job.select()}
    second.end(signal.SIGTERM)


def ask_raw(front: Front, ada: httpx.Client, key: bytes) -> tuple[int, str]:
    """The status and the message, of a request whose header no client would send."""
    body = b'{"app": "noop"}'
    lines = [
        b"POST /api/v1/jobs HTTP/1.1", b"Host: skerry", b"Connection: close", b"Content-Type: application/json",
        b"Authorization: " + ada.headers["Authorization"].encode(), b"Content-Length: %d" % len(body),
        b"Idempotency-Key: " + key, b"", body,
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", front.port), timeout=30) as connection:
        connection.sendall(b"\r\n".join(lines))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, found = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(found)["error"]["message"] if b"application/json" in head and status >= 400 else ""


def test_hostile_keys_reach_nothing(front: Front, ada: httpx.Client) -> None:
    for key in ("é".encode(), "🪨".encode(), b"\xff\xfe", b'"', b'"a', b'"a"b"', b'""', b"", b"k" * 10_000):
        status, message = ask_raw(front, ada, key)
        assert status == 400, key
        assert "idempotency key" in message.lower().replace("-", " "), (key, message)
    # What no header may hold is refused by the server before it is looked at.
    for key in (b"a\0b", b"a\rb", b"a\nb"):
        assert ask_raw(front, ada, key)[0] == 400
    assert Job.select().count() == 0
    assert ask_raw(front, ada, rb'"a \"quoted\" \\ key"')[0] == 202
    assert SubmissionKey.get().key == r'a "quoted" \ key'
    assert front.health()["status"] == "ok"


@pytest.mark.stores("mariadb")  # SQLite lets one writer in at a time
@pytest.mark.usefixtures("database")
def test_a_web_front_that_hangs_with_a_key_holds_up_nobody_else(tmp_path: Path) -> None:
    user = create_user("ada", PASSWORD)
    version = make_app(user).id
    web, answers = submission(tmp_path), list[Accepted]()
    waiting = threading.Thread(target=lambda: answers.append(submit(web, user, "taken", data=None)))
    hanging = NewJob(f"{0:026}", version, user.id, 0, None, {}, time.time(), "ada", "tool")
    key = key_of(user.id, "taken", app="tool", version=None, parameters={}, priority=0, given=None)
    with transaction():
        assert take(key, hanging.id, time.time())
        insert_jobs([hanging])
        waiting.start()
        time.sleep(0.5)
        begun = time.monotonic()
        at_once([lambda: answers.append(submit(web, user, "free")), lambda: answers.append(submit(web, user, None))])
        assert time.monotonic() - begun < 5
        assert [answer.replayed for answer in answers] == [False, False]
    waiting.join()
    assert (answers[-1].job.id, answers[-1].replayed) == (hanging.id, True)
