"""The web front as it runs: granian, a real broker, and the `skerry` command from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from support.front import PASSWORD, Front, until
from support.rabbitmq import PrivateRabbit

from webfront.database.models import Job
from wire import topology
from wire.broker import Broker, BrokerAddress, Delivery
from wire.messages import Submitted, decode


def take_hints(broker: PrivateRabbit, until: str) -> list[str]:
    """Take from `skerry.submitted` until this job is hinted; every job hinted so far. TimeoutError when it is not."""

    async def take() -> list[str]:
        taken: list[str] = []
        done = asyncio.Event()

        def on_delivery(delivery: Delivery) -> None:
            message = decode(delivery.body)
            assert isinstance(message, Submitted)
            taken.append(message.job)
            consumer.ack(delivery)
            if message.job == until:
                done.set()

        async def on_connected() -> None:
            await consumer.consume(topology.SUBMITTED, on_delivery, prefetch=100)

        consumer = Broker(BrokerAddress.read(broker.url, broker.password_file), name="t", on_connected=on_connected)
        running = asyncio.create_task(consumer.run())
        await asyncio.wait_for(done.wait(), 30)
        await consumer.stop()
        await running
        return taken

    return asyncio.run(take())


def test_submitted_jobs_are_in_the_database_and_hinted(front: Front, ada: httpx.Client, broker: PrivateRabbit) -> None:
    jobs: list[str] = []

    def submit() -> None:
        for _ in range(10):
            answer = ada.post("jobs", json={"app": "noop"})
            assert answer.status_code == 202
            jobs.append(answer.json()["job"]["id"])

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    submit()
    assert len(set(jobs)) == 90
    assert {row.id for row in Job.select().where(Job.state == "queued")} == set(jobs)
    # One hint may speak for several jobs, but there is always one that comes after the last of them.
    hinted = take_hints(broker, until=jobs[-1])
    assert len(hinted) == len(set(hinted))
    assert set(hinted) <= set(jobs)


def test_a_large_upload_is_streamed_and_a_larger_one_refused(front: Front, ada: httpx.Client) -> None:
    answer = ada.post("jobs", data={"app": "noop"}, files={"input": ("big.bin", bytes(7 * 2**20))})
    assert answer.status_code == 202
    stored = front.folder / "share/inputs" / answer.json()["job"]["id"] / "big.bin"
    assert stored.stat().st_size == 7 * 2**20
    assert not list((front.folder / "state/uploads").iterdir())

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="input"; filename="a"\r\n\r\n'
        while True:
            yield bytes(2**20)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    # A server may hang up rather than listen to the rest.
    with contextlib.suppress(httpx.WriteError):
        assert ada.post("jobs", content=endless(), headers=headers).status_code == 413
    assert front.health()["status"] == "ok"


def test_who_is_refused_in_the_middle_of_a_body_may_ask_again(front: Front) -> None:
    with httpx.Client(base_url=f"{front.api}/") as stranger:
        for _ in range(10):
            refused = stranger.post("jobs", data={"app": "noop"}, files={"input": ("a.bin", bytes(2**20))})
            assert refused.status_code == 401
            assert stranger.get("health").status_code == 200
            assert stranger.post("tokens", json={"user": "nobody", "password": "wrong"}).status_code in (401, 429)


def test_it_ends_on_sigterm_and_leaves_no_orphan_when_killed(front: Front) -> None:
    assert front.end(signal.SIGTERM) == 0
    front.start()
    front.end(signal.SIGKILL)
    # At once: what is left of the killed one must not hold the port for long.
    front.start()
    assert front.health()["status"] == "ok"


def test_a_port_in_use_is_said(front: Front) -> None:
    """granian alone would share the port with another granian, and both would answer in turn."""
    second = subprocess.run(
        [sys.executable, "-m", "webfront", "web"], env=front.environment, capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 1
    assert "set SKERRY_WEB_PORT" in second.stderr


def test_jobs_are_accepted_while_the_broker_is_away(front: Front, ada: httpx.Client, broker: PrivateRabbit) -> None:
    broker.kill()
    try:
        until(lambda: front.health().get("broker") == "down")
        begun = time.monotonic()
        assert ada.post("jobs", json={"app": "noop"}).status_code == 202
        assert time.monotonic() - begun < 2
    finally:
        broker.start()
    until(lambda: front.health().get("status") == "ok", 60)


def test_actions_are_in_the_log_and_in_the_brokers(front: Front, ada: httpx.Client, broker: PrivateRabbit) -> None:
    job_id = ada.post("jobs", json={"app": "noop"}).json()["job"]["id"]
    submitted = [one for one in front.records() if one.get("skerry.job") == job_id]
    assert len(submitted) == 1
    assert submitted[0]["event.action"] == "job.submit"
    assert (submitted[0]["user.name"], submitted[0]["skerry.controller"]) == ("ada", "api.jobs")
    log = (front.folder / "web.log").read_text()
    assert PASSWORD not in log
    assert ada.headers["Authorization"][7:] not in log

    def shipped() -> bool:
        body = {"count": 1000, "ackmode": "ack_requeue_false", "encoding": "auto"}
        return job_id in str(broker.api("/api/queues/%2f/skerry.logs/get", "POST", body))

    until(shipped)


def test_the_command_does_the_main_job_from_outside(front: Front, ada: httpx.Client, tmp_path: Path) -> None:
    environment = front.environment | {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "hello.py").write_text("print('hello')")

    def skerry(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = "import sys; from webfront.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, timeout=30
        )

    assert skerry("apps", "list").returncode == 5
    assert skerry("login", front.url, "--user", "ada", "--password-file", str(tmp_path / "password")).returncode == 0
    assert "is a new version" in skerry("apps", "push", str(tmp_path / "hello.py")).stdout
    job_id = skerry("run", "hello", "-p", "level=3").stdout.strip()
    assert json.loads(skerry("jobs", "show", job_id, "--json").stdout)["job"]["parameters"] == {"level": "3"}
    assert "cancelled" in skerry("jobs", "cancel", job_id).stdout
    assert skerry("jobs", "log", job_id, "--follow").returncode == 1
    assert skerry("logout").returncode == 0
    assert skerry("jobs", "list").returncode == 5
