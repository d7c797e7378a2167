"""One release later, within the same version of the messages: real processes on a real broker, real jobs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.platform import PROJECT, Platform, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.broker.admission import admit, dismiss
from webfront.database.models import AppVersion, Attempt, Job, Node
from webfront.jobs.lifecycle import request_cancel

LATER = [sys.executable, "-P", str(PROJECT / "tests/support/later.py")]
NOW = [sys.executable, "-m"]
LINES = 20

APP = f"""
import argparse, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--output", type=pathlib.Path)
given = parser.parse_args()
for line in range(1, {LINES + 1}):
    print(f"line {{line}}", flush=True)
    time.sleep(0.01)
(given.output / "predictions.csv").write_text("answer\\n42\\n")
"""
LONG = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    # Where slots' users may pass through to their attempts' folders, as on a node's own state directory.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    for name in ("apps", "inputs", "results"):
        (tmp_path / "share" / name).mkdir(parents=True)
    return Platform(broker, store, tmp_path)


def app(platform: Platform, name: str, source: str) -> AppVersion:
    version = platform.app(name)
    folder = platform.directory / "share/apps" / version.hash
    folder.mkdir()
    (folder / "main.py").write_text(source)
    return version


@contextlib.contextmanager
def agent(platform: Platform, command: list[str]) -> Iterator[None]:
    """The node alpha's agent."""
    password_file = platform.directory / "alpha.password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    admit(platform.api, "alpha", password_file.read_text())
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "SKERRY_NODE_ID": "alpha",
        "SKERRY_NODE_STATE_DIR": str(platform.directory / "alpha"),
        "SKERRY_SHARE_DIR": str(platform.directory / "share"),
        "SKERRY_BROKER_URL": f"amqp://node-alpha@127.0.0.1:{platform.rabbit.port}/",
        "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
        "SKERRY_HEARTBEAT_S": "0.5",
    }
    with (platform.directory / "agent.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "node_scripts", "agent"], env=environment, cwd=platform.directory, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        dismiss(platform.api, "alpha")


async def run_jobs(platform: Platform) -> None:
    """A job from its submission to its outcome, its log and its result; and one cancelled while it runs."""
    await until(lambda: Node.get(Node.name == "alpha").state == "active")
    (job,) = platform.submit(app(platform, "answer", APP))
    await until(lambda: Job.get_by_id(job).state not in ("queued", "placed", "running"), 60)
    row = Job.get_by_id(job)
    assert (row.state, row.cause, row.attempts) == ("succeeded", "ok", 1), row.message
    attempt = Attempt.get(Attempt.job == job)
    assert platform.log_of(job) == [f"line {number}" for number in range(1, LINES + 1)]
    assert (attempt.log_lines, attempt.exit_code) == (LINES, 0)
    moments = [attempt.placed_at, attempt.claimed_at or 0.0, attempt.started_at or 0.0, attempt.ended_at or 0.0]
    assert moments == sorted(moments)
    assert attempt.usage["wall_s"] > 0
    assert [one["name"] for one in attempt.outputs] == ["predictions.csv"]
    result = platform.directory / "share/results" / job / "1/predictions.csv"
    assert result.read_text() == "answer\n42\n"

    (long,) = platform.submit(app(platform, "long", LONG))
    await until(lambda: platform.log_of(long) == ["begun"], 60)
    assert request_cancel(long, time.time())
    await until(lambda: Job.get_by_id(long).state == "cancelled")
    assert Attempt.get(Attempt.job == long).cause == "cancelled"


def test_todays_agent_works_under_a_later_scheduler_which_knows_one_kind_of_event_more(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        platform.scheduler = LATER
        async with platform.working():
            with agent(platform, NOW):
                await run_jobs(platform)
            assert "left out" not in platform.log()

    asyncio.run(scenario())


def test_a_later_agent_works_under_todays_scheduler_but_for_what_it_alone_knows(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        async with platform.working():
            with agent(platform, LATER):
                await run_jobs(platform)
            # Twice it told of it, each time between events that count.
            assert platform.log().count("of the kind 'warmed' from node-alpha cannot be used here") == 1
            assert "unreadable" not in platform.log()

    asyncio.run(scenario())
