"""What goes wrong with one attempt ends that attempt; the agent goes on, now and at its next start."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.agents import AgentProcess, keepers, place
from support.disks import small_disk
from support.node import Controller, InProcessRunner, agent_running, order, until
from support.rabbitmq import PrivateRabbit

from node_scripts.running.interface import Prepared
from wire.messages import Cause, Order

DEEP = """
import os, sys
open(sys.argv[2] + "/predictions.csv", "w").write("a\\n1\\n")
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
"""


def noted_as_started(journal: Path) -> int:
    with contextlib.closing(sqlite3.connect(journal)) as opened:
        (count,) = opened.execute("SELECT count(*) FROM attempts WHERE started_at IS NOT NULL").fetchone()
    return int(count)


async def still_works(controller: Controller, agent: AgentProcess) -> None:
    """The same process takes a job and sees it through."""
    job = order(ticks="1", pause="0")
    await controller.send(job)
    await until(lambda: controller.ends()[job.job])
    assert controller.ends()[job.job][0].cause is Cause.OK
    assert agent.process is not None
    assert agent.process.poll() is None
    assert "the agent ends for a new start" not in agent.log.read_text()


def test_a_reason_that_is_no_text_ends_the_attempt_and_not_the_agent(broker: PrivateRabbit, tmp_path: Path) -> None:
    class Broken(InProcessRunner):
        async def prepare(self, order: Order, slot: int, preparing: Callable[[str], None]) -> Prepared:
            raise LookupError("cannot find pr\udce9dictions")

        def tidy(self) -> None:
            raise RecursionError

    async def scenario() -> None:
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(), Broken()) as agent,
        ):
            job = order()
            await controller.send(job)
            await until(lambda: controller.ends()[job.job])
            (end,) = controller.ends()[job.job]
            assert end.cause is Cause.REJECTED
            assert "pr\\udce9dictions" in end.message
            await until(lambda: controller.heartbeats and controller.heartbeats[-1].held == ())
            assert not agent._stopping.is_set()

    asyncio.run(scenario())


def test_folders_deeper_than_any_path_are_removed(controller: Controller, agent: AgentProcess) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = Order(job="deep", attempt=1, app=place(controller, DEEP, "1" * 64))
            await controller.send(job)
            await until(lambda: controller.ends()[job.job], timeout=60)
            assert controller.ends()[job.job][0].cause is Cause.OK
            await until(lambda: not list((controller.directory / "state" / "attempts").iterdir()), timeout=60)
            await still_works(controller, agent)

    asyncio.run(scenario())


def test_what_cannot_be_removed_is_set_aside_and_tidied_by_a_later_start(
    controller: Controller, agent: AgentProcess
) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = order(ticks="10", pause="0.1")
            await controller.send(job)
            await until(lambda: controller.started(job.job))
            attempts = controller.directory / "state" / "attempts"
            fixed = attempts / f"{job.job}.1" / "box" / "out" / "fixed"
            fixed.write_text("x")
            if subprocess.run(["chattr", "+i", fixed], check=False).returncode:
                pytest.skip("this file system has no immutable files")
            await until(lambda: controller.ends()[job.job])
            assert controller.ends()[job.job][0].cause is Cause.OK
            await until(lambda: (attempts / ".set-aside").is_dir())
            assert agent.log.read_text().count("cannot be removed") == 1
            await still_works(controller, agent)
            agent.signal(signal.SIGTERM)
            agent.start()
            await still_works(controller, agent)
            agent.signal(signal.SIGTERM)
            (fixed,) = attempts.rglob("fixed")
            subprocess.run(["chattr", "-i", fixed], check=True)
            agent.start()
            await until(lambda: not list(attempts.iterdir()))

    asyncio.run(scenario())


def test_a_start_copes_with_whatever_became_of_the_attempts(controller: Controller, agent: AgentProcess) -> None:
    """Ended ones, running ones and ones that never began, each with its folder or its row spoilt in its own way."""

    async def scenario() -> None:
        async with controller.working():
            agent.start()
            running = [order(ticks="600", pause="0.1") for _ in range(3)]
            await controller.send(*running)
            await until(lambda: all(controller.started(job.job) for job in running))
            path = controller.directory / "state" / "journal.sqlite"
            await until(lambda: noted_as_started(path) == len(running))
            agent.signal(signal.SIGKILL)
            attempts = controller.directory / "state" / "attempts"
            rooms = [attempts / f"{job.job}.1" for job in running]
            # The first one's folder is gone altogether, the second one's keeper record says nonsense, the third one's
            # cannot be read: a folder stands in its place.
            subprocess.run(["rm", "-r", rooms[0]], check=True)
            (rooms[1] / "keeper").write_text("9" * 30)
            (rooms[2] / "keeper").unlink()
            (rooms[2] / "keeper").mkdir()
            journal = sqlite3.connect(path)
            (body,) = journal.execute("SELECT body FROM attempts WHERE job = ?", (running[0].job,)).fetchone()
            rows = {
                "../../etc": body.replace(running[0].job.encode(), b"../../etc"),
                "../../opt": body.replace(running[0].job.encode(), b"../../opt"),
                "of-another-time": b'{"type":"order","v":99}',
                "nonsense": b"\xff\xfe",
            }
            for slot, (job, row) in zip((None, 2, None, 2), rows.items(), strict=True):
                insert = "INSERT INTO attempts (job, attempt, body, claimed_at, slot) VALUES (?, 1, ?, 1.0, ?)"
                journal.execute(insert, (job, row, slot))
            journal.commit()
            journal.close()
            agent.start()
            expected = {job.job: Cause.NODE_LOST for job in running}
            expected |= {"../../opt": Cause.NODE_LOST, "../../etc": Cause.REJECTED}
            await until(lambda: all(controller.ends()[job] for job in expected), timeout=90)
            assert {job: controller.ends()[job][0].cause for job in expected} == expected
            await until(lambda: controller.heartbeats[-1].held == ())
            await until(lambda: not keepers(controller))
            await still_works(controller, agent)
            await until(lambda: not list(attempts.iterdir()))

    asyncio.run(scenario())


def test_a_full_disk_ends_attempts_and_not_the_agent(controller: Controller, agent: AgentProcess) -> None:
    attempts = controller.directory / "state" / "attempts"

    async def scenario() -> None:
        async with controller.working():
            agent.start()
            app = place(
                controller,
                "import sys\nopen(sys.argv[2] + '/predictions.csv', 'w').write('a')\n"
                "try:\n    f = open('filling', 'wb', buffering=0)\n    while f.write(bytes(4096)): pass\n"
                "except OSError: pass\n",
                "2" * 64,
            )
            jobs = [Order(job=f"fills{n}", attempt=1, app=app) for n in range(3)]
            await controller.send(*jobs)
            await until(lambda: all(controller.ends()[job.job] for job in jobs), timeout=90)
            await until(lambda: controller.heartbeats[-1].held == ())
            assert {controller.ends()[job.job][0].cause for job in jobs} <= {Cause.OK, Cause.REJECTED, Cause.NODE_LOST}
            await until(lambda: not [path for path in attempts.iterdir() if path.name != "lost+found"])
            await still_works(controller, agent)

    with small_disk(attempts, controller.directory / "disk"):
        try:
            asyncio.run(scenario())
        finally:
            agent.signal(signal.SIGTERM)
