"""One release later, within the same version of the messages: real processes on a real broker, real jobs."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from support.agents import put_app, working_agent
from support.platform import PROJECT, Platform, passable, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.database.models import Attempt, Job, Node
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
    return passable(broker, store, tmp_path)


async def run_jobs(platform: Platform) -> None:
    """A job from its submission to its outcome, its log and its result; and one cancelled while it runs."""
    await until(lambda: Node.get(Node.name == "alpha").state == "active")
    (job,) = platform.submit(put_app(platform, "answer", {"main.py": APP}))
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

    (long,) = platform.submit(put_app(platform, "long", {"main.py": LONG}))
    await until(lambda: platform.log_of(long) == ["begun"], 60)
    assert request_cancel(long, time.time())
    await until(lambda: Job.get_by_id(long).state == "cancelled")
    assert Attempt.get(Attempt.job == long).cause == "cancelled"


def test_todays_agent_works_under_a_later_scheduler_which_knows_one_kind_of_event_more(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        platform.scheduler = LATER
        async with platform.working():
            with working_agent(platform, NOW):
                await run_jobs(platform)
            assert "left out" not in platform.log()

    asyncio.run(scenario())


def test_a_later_agent_works_under_todays_scheduler_but_for_what_it_alone_knows(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        async with platform.working():
            with working_agent(platform, LATER):
                await run_jobs(platform)
            # Twice it told of it, each time between events that count.
            assert platform.log().count("of the kind 'warmed' from node-alpha cannot be used here") == 1
            assert "unreadable" not in platform.log()

    asyncio.run(scenario())
