"""What is told of a job between its placing and its end: by a real agent, on a real broker, to a real scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import psutil
import pytest
from support.agents import put_app, working_agent
from support.platform import Platform, passable, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.accounts.views import Account
from webfront.database.models import Attempt, Job, Node
from webfront.jobs.lifecycle import request_cancel
from webfront.scheduling.explanation import Explanation, Situation
from webfront.scheduling.service import PlacementService
from webfront.settings import Settings

BACKEND = """
import os, time, zipfile
NAME = "slow-1.dist-info"
METADATA = "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n"

def prepare_metadata_for_build_wheel(directory, settings=None):
    os.makedirs(os.path.join(directory, NAME))
    with open(os.path.join(directory, NAME, "METADATA"), "w") as file:
        file.write(METADATA)
    return NAME

def build_wheel(directory, settings=None, metadata=None):
    time.sleep(8)
    with zipfile.ZipFile(os.path.join(directory, "slow-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("slow.py", "")
        wheel.writestr(NAME + "/METADATA", METADATA)
        wheel.writestr(NAME + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(NAME + "/RECORD", "")
    return "slow-1-py3-none-any.whl"
"""
PROJECT_FILE = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "slow"
version = "1"
"""
SLOW = {
    "main.py": "import time, slow\nprint('begun', flush=True)\ntime.sleep(600)\n",
    "requirements.txt": "./slow\n",
    "slow/pyproject.toml": PROJECT_FILE,
    "slow/backend.py": BACKEND,
}


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    return passable(broker, store, tmp_path)


def explain(platform: Platform, job: str) -> Explanation:
    nowhere = Path("/nonexistent")
    service = PlacementService(Settings(nowhere, nowhere, "", nowhere, "", ""), lambda: platform.broker.connected)
    return service.explain(Account(id=platform.user.id, name="ada", is_admin=False), job)


def processes(job: str) -> int:
    """How many processes are the job's app."""
    found = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += process.environ().get("SKERRY_JOB") == job
    return found


def test_a_node_tells_what_it_is_at_and_running_begins_with_the_process(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = put_app(platform, "slow", SLOW, requirements="requirements.txt")
        async with platform.working():
            (job,) = platform.submit(version)
            # Nobody is there yet, and the scheduler says when it has looked last.
            await until(lambda: explain(platform, job).decided_at)
            waiting = explain(platform, job)
            assert waiting.situation is Situation.NO_ROOM
            assert waiting.decision == "no node can take it now: alpha is not active"
            assert time.time() - (waiting.decided_at or 0.0) < 5
            assert [one.words for one in waiting.nodes] == ["is registering"]
            with working_agent(platform, PIP_NO_INDEX="1"):
                await until(lambda: Attempt.get().stage if Attempt.select().exists() else None, 60)
                await until(lambda: Attempt.get().stage["detail"] == "building slow", 60)
                building = explain(platform, job)
                assert building.situation is Situation.PREPARING
                assert building.sentence == "alpha makes it ready: building the environment."
                assert building.stage is not None
                assert building.stage.detail == "building slow"
                assert (building.until or 0.0) > time.time() + 3000
                assert (Job.get_by_id(job).state, Attempt.get().started_at) == ("placed", None)
                assert processes(job) == 0

                await until(lambda: Job.get_by_id(job).state == "running", 60)
                await until(lambda: processes(job) > 0, 2)
                running = explain(platform, job)
                assert (running.situation, running.sentence) == (Situation.RUNNING, "It runs on alpha.")
                assert running.until == pytest.approx((Attempt.get().started_at or 0.0) + 300)
                assert request_cancel(job, time.time())
                await until(lambda: Job.get_by_id(job).state == "cancelled", 60)
                assert processes(job) == 0
                assert explain(platform, job).situation is Situation.ENDED

    asyncio.run(scenario())


def test_an_app_whose_requirements_cannot_be_installed_was_never_running(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        files = {"main.py": "", "requirements.txt": "no-such-package-here==1\n"}
        version = put_app(platform, "broken", files, requirements="requirements.txt")
        async with platform.working():
            with working_agent(platform, PIP_NO_INDEX="1"):
                await until(lambda: Node.get().state == "active", 60)
                (job,) = platform.submit(version)
                await until(lambda: Job.get_by_id(job).state == "failed", 60)
                attempt = Attempt.get()
                assert (attempt.cause, attempt.started_at) == ("app_error", None)
                # Its log is there all the same, and says why.
                await until(lambda: any("no-such-package-here" in line for line in platform.log_of(job)))

    asyncio.run(scenario())


def test_without_a_scheduler_a_waiting_job_says_so(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = platform.app()
        async with platform.working():
            (job,) = platform.submit(version)
            await until(lambda: explain(platform, job).decided_at)
            assert explain(platform, job).situation is Situation.NO_ROOM
            decided = explain(platform, job).decided_at or 0.0
            platform.schedulers[0].kill()
            platform.schedulers[0].wait()
            await until(lambda: explain(platform, job).situation is Situation.UNDECIDED, 30)
            found = explain(platform, job)
            assert found.since == found.decided_at
            assert 5 < time.time() - (found.since or 0.0) < 40
            assert (found.since or 0.0) >= decided

    asyncio.run(scenario())
