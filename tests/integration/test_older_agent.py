"""Controller first: the agent of the release before, as it was, under this release's scheduler, on a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.platform import Platform, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.broker.admission import admit, dismiss
from webfront.database.models import AppVersion, Attempt, Job, Node
from webfront.fleet.states import NodeState
from webfront.jobs.lifecycle import request_cancel
from webfront.jobs.states import JobState

RELEASES = Path(__file__).resolve().parents[1] / "releases"
SCRIPT = """
import sys, time
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
for number in range(1, 6):
    print(f"line {number}", flush=True)
time.sleep({seconds})
Path(given["--output"], "predictions.csv").write_text("y\\n4\\n")
"""


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return Platform(broker, store, tmp_path)


@contextlib.asynccontextmanager
async def agent_of(release: str, platform: Platform, name: str) -> AsyncIterator[Path]:
    """The agent of that release as a process of its own, with nothing of this one on its path. Yields its log."""
    folder = platform.directory / name
    with zipfile.ZipFile(RELEASES / release / "code.zip") as archive:
        archive.extractall(folder / "code")
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    admit(platform.api, name, password_file.read_text())
    platform.node(name)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder / "code"),
        "SKERRY_NODE_ID": name,
        "SKERRY_NODE_STATE_DIR": str(folder / "state"),
        "SKERRY_SHARE_DIR": str(platform.directory / "share"),
        "SKERRY_BROKER_URL": f"amqp://node-{name}@127.0.0.1:{platform.rabbit.port}/",
        "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
        "SKERRY_HEARTBEAT_S": "0.5",
        "SKERRY_NODE_UID_BASE": "61200",
    }
    log = folder / "agent.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", "node_scripts", "agent"]
        agent = subprocess.Popen(command, env=environment, cwd=folder / "code", stdout=output, stderr=output)
    try:
        yield log
    finally:
        agent.terminate()
        agent.wait(20)
        dismiss(platform.api, name)


def put_app(platform: Platform, name: str, *, seconds: int) -> AppVersion:
    version = platform.app(name)
    for folder in ("apps", "inputs", "results"):
        (platform.directory / "share" / folder).mkdir(parents=True, exist_ok=True)
    app = platform.directory / "share" / "apps" / version.hash
    app.mkdir()
    (app / "main.py").write_text(SCRIPT.replace("{seconds}", str(seconds)))
    return version


def test_the_agent_of_release_0_1_0_runs_a_job_to_its_outcome(platform: Platform) -> None:
    async def scenario() -> None:
        quick, long = put_app(platform, "quick", seconds=0), put_app(platform, "long", seconds=60)
        async with platform.working(), agent_of("0.1.0", platform, "older") as log:
            await until(lambda: Node.get(Node.name == "older").state == NodeState.ACTIVE, 60)
            assert Node.get(Node.name == "older").agent_version.startswith("0.1.0")
            (done,) = platform.submit(quick)
            await until(lambda: Job.get_by_id(done).state == JobState.SUCCEEDED, 60)
            assert platform.log_of(done) == [f"line {number}" for number in range(1, 6)]
            assert Attempt.get(Attempt.job == done).log_lines == 5
            result = platform.directory / "share" / "results" / done / "1" / "predictions.csv"
            assert result.read_text() == "y\n4\n"
            (unwanted,) = platform.submit(long)
            await until(lambda: Job.get_by_id(unwanted).state == JobState.RUNNING, 60)
            assert request_cancel(unwanted, time.time())
            await until(lambda: Job.get_by_id(unwanted).state == JobState.CANCELLED, 60)
            assert "Traceback" not in log.read_text()
        assert "cannot be read" not in platform.log()

    asyncio.run(scenario())
