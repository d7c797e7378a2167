"""Logs on their way to the share, by the real scheduler: killed, and with a share that hangs or is full."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.disks import small_disk
from support.platform import Platform, ScriptedNode, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.changeable.values import Values
from webfront.database.models import Attempt, Chore, Job, LogChunk, LogPiece
from webfront.settings import Settings
from wire.messages import Cause, Finished, LogLines, Order

WIDE = "x" * 400
LINES = 1000
"""A message's: 400 kB, of which the chore makes a piece at once."""


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    return Platform(broker, store, tmp_path)


@pytest.fixture
def small_share(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "share", tmp_path / "share.img"):
        yield tmp_path / "share"


def said(order: Order, first: int, count: int = LINES) -> LogLines:
    lines = tuple(f"line {number} {WIDE}" for number in range(first, first + count))
    return LogLines(order.job, order.attempt, time.time(), first, lines)


def finished(order: Order, lines: int) -> Finished:
    return Finished(order.job, order.attempt, time.time(), Cause.OK, exit_code=0, log_lines=lines)


def is_whole(platform: Platform, job: str, last: int) -> bool:
    return platform.log_of(job) == [f"line {number} {WIDE}" for number in range(1, last + 1)]


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(bytes(65536)):
            pass


async def a_job_runs(platform: Platform, node: ScriptedNode) -> Order:
    """A job of which the node says what the test says."""
    node.answers = False
    (job,) = platform.submit(platform.app(f"app-{len(node.orders)}"))
    await until(lambda: node.orders and node.orders[-1].job == job)
    await node.say(*node.claimed(node.orders[-1]))
    await until(lambda: Job.get_by_id(job).state == "running")
    return node.orders[-1]


async def another_job_goes_through(platform: Platform, node: ScriptedNode) -> None:
    node.answers = True
    (job,) = platform.submit(platform.app(f"app-{len(node.orders)}"))
    await until(lambda: Job.get_by_id(job).state == "succeeded", timeout=10)


def test_text_goes_to_the_share_whoever_is_killed_on_the_way(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        async with platform.working(), ScriptedNode(platform, "alpha").working() as alpha:
            order = await a_job_runs(platform, alpha)
            for part in range(8):
                await alpha.say(said(order, part * LINES + 1))
                # Anywhere between the first line's arrival and the last one's place on the share.
                await asyncio.sleep(0.7 * part)
                platform.schedulers[-1].kill()
                platform.schedulers[-1].wait()
                platform.start_scheduler()
            await alpha.say(finished(order, 8 * LINES))
            alpha.held.clear()
            await until(lambda: Job.get_by_id(order.job).state == "succeeded", timeout=60)
            assert is_whole(platform, order.job, 8 * LINES)
            await until(lambda: not LogChunk.select().exists(), timeout=60)
            assert is_whole(platform, order.job, 8 * LINES)

    asyncio.run(scenario())


def test_a_share_that_hangs_or_is_full_holds_up_no_turn_and_no_other_job(platform: Platform, small_share: Path) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        async with platform.working(), ScriptedNode(platform, "alpha").working() as alpha:
            order = await a_job_runs(platform, alpha)
            await alpha.say(said(order, 1))
            await until(lambda: LogPiece.select().exists())
            subprocess.run(["fsfreeze", "-f", small_share], check=True)
            try:
                await alpha.say(said(order, LINES + 1))
                await until(lambda: Attempt.get(Attempt.job == order.job).log_bytes > 500_000)
                for _ in range(3):
                    await another_job_goes_through(platform, alpha)
                assert is_whole(platform, order.job, 2 * LINES)
            finally:
                subprocess.run(["fsfreeze", "-u", small_share], check=True)
            await until(lambda: not LogChunk.select().where(LogChunk.first >= LINES).exists())

            room = small_share / "room"
            _fill(room)
            await alpha.say(said(order, 2 * LINES + 1))
            await until(lambda: "the share takes no text" in Chore.get(Chore.name == "logs to the share").error)
            await another_job_goes_through(platform, alpha)
            assert is_whole(platform, order.job, 3 * LINES)
            room.unlink()
            await alpha.say(finished(order, 3 * LINES))
            alpha.held.clear()
            await until(lambda: Job.get_by_id(order.job).state == "succeeded")
            await until(lambda: not LogChunk.select().where(LogChunk.first >= LINES).exists(), timeout=60)
            assert is_whole(platform, order.job, 3 * LINES)

    asyncio.run(scenario())


def test_the_setting_goes_with_each_order(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        async with platform.working(), ScriptedNode(platform, "alpha").working() as alpha:
            order = await a_job_runs(platform, alpha)
            assert order.log_mb == 16
            Values(Settings.from_environment(platform.environment())).set("logs.max_mb", "8192")
            assert (await a_job_runs(platform, alpha)).log_mb == 8192

    asyncio.run(scenario())
