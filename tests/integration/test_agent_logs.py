"""Logs of real apps under a real agent: what is kept, what is told of the rest, and how soon."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from support.agents import AgentProcess, place
from support.disks import small_disk
from support.node import Controller, order, until

from wire.messages import Cancel, Cause, Finished, LogLines, Order, Resources

SOON_S = 8.0
"""Of a test on a busy machine; on one that is not it takes one or two."""

SHORT_LINES = """
import os, sys
open(sys.argv[2] + "/predictions.csv", "w").write("a\\n1\\n")
for _ in range(256):
    os.write(1, b"\\n" * 65536)
"""

FIFTY_THOUSAND_A_SECOND = """
import os, sys, time
open(sys.argv[2] + "/predictions.csv", "w").write("a\\n1\\n")
at = time.monotonic()
for block in range(195):
    os.write(1, b"".join(b"line %d\\n" % n for n in range(block * 1000 + 1, block * 1000 + 1001)))
    at += 0.02
    time.sleep(max(0, at - time.monotonic()))
"""

WITHOUT_END = """
import os
n = 0
while True:
    os.write(1, b"".join(b"line %d\\n" % one for one in range(n + 1, n + 2001)))
    n += 2000
"""

DISK_FULL = """
import os, sys
open(sys.argv[2] + "/predictions.csv", "w").write("a\\n1\\n")
def say(first, last):
    for n in range(first, last + 1):
        os.write(1, b"line %d %s\\n" % (n, b"x" * 100))
say(1, 125)
with open("filling", "wb", buffering=0) as file:
    for size in (65536, 4096, 512, 1):
        try:
            while file.write(bytes(size)): pass
        except OSError:
            pass
say(126, 400)
if "--frees" in sys.argv:
    os.unlink("filling")
"""


async def end_of(controller: Controller, job: str) -> tuple[Finished, float]:
    """How it ended, and how long after that it was told."""
    await until(lambda: controller.ends()[job], timeout=120)
    (end,) = controller.ends()[job]
    return end, time.time() - end.at


def test_millions_of_short_lines_hold_up_neither_the_end_nor_anybody(
    controller: Controller, agent: AgentProcess
) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = Order(job="short", attempt=1, app=place(controller, SHORT_LINES, "3" * 64))
            other = order(ticks="10", pause="0.1")
            await controller.send(job, other)
            end, late = await end_of(controller, job.job)
            assert (end.cause, end.log_lines, late < SOON_S) == (Cause.OK, 2**24, True)
            kept = controller.lines_of(job.job)
            assert sorted(kept) == [*range(1, 100_002), *range(2**24 - 99_999, 2**24 + 1)]
            assert kept.pop(100_001) == (
                "[skerry] lines 100,001 to 16,677,216 were dropped: of a log that is too long, or that a full disk did "
                "not take"
            )
            assert set(kept.values()) == {""}
            (_, late) = await end_of(controller, other.job)
            assert late < SOON_S

    asyncio.run(scenario())


def test_fifty_thousand_lines_a_second_are_all_there_and_hold_nobody_up(
    controller: Controller, agent: AgentProcess
) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = Order(job="fast", attempt=1, app=place(controller, FIFTY_THOUSAND_A_SECOND, "4" * 64))
            await controller.send(job)
            await until(lambda: controller.started(job.job))
            other = order(ticks="10", pause="0.1")
            await controller.send(other)
            for one in (other, job):
                end, late = await end_of(controller, one.job)
                assert (end.cause, late < SOON_S) == (Cause.OK, True)
            assert controller.log_of(job.job) == [f"line {n}" for n in range(1, 195_001)]
            assert not any(isinstance(event, LogLines) and event.dropped for event in controller.of(job.job)[-20:])

    asyncio.run(scenario())


def test_a_log_is_as_long_as_its_order_allows(controller: Controller, agent: AgentProcess) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            app = place(controller, FIFTY_THOUSAND_A_SECOND, "4" * 64)
            short, long = (
                Order(job="short", attempt=1, app=app, log_mb=1),
                Order(job="long", attempt=1, app=app, log_mb=17),
            )
            for one in (short, long):
                await controller.send(one)
                end, _ = await end_of(controller, one.job)
                assert (end.cause, end.log_lines) == (Cause.OK, 195_000)
            assert sorted(controller.lines_of("short")) == [*range(1, 6252), *range(195_000 - 6249, 195_001)]
            assert sorted(controller.lines_of("long")) == [*range(1, 195_001)]

    asyncio.run(scenario())


def test_a_log_without_end_is_seen_while_it_runs_and_a_cancel_ends_it(
    controller: Controller, agent: AgentProcess
) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = Order(job="endless", attempt=1, app=place(controller, WITHOUT_END, "5" * 64))
            await controller.send(job)
            newest = 200_000
            for _ in range(4):
                await until(lambda seen=newest: max(controller.lines_of(job.job), default=0) > seen, timeout=60)  # type: ignore[misc]
                newest = max(controller.lines_of(job.job))
                assert len(controller.lines_of(job.job)) < 110_000
            before = time.monotonic()
            await controller.control(Cancel(job=job.job, attempt=1))
            end, _ = await end_of(controller, job.job)
            assert time.monotonic() - before < 2 * SOON_S
            kept = controller.lines_of(job.job)
            last = end.log_lines
            assert last > newest
            assert sorted(kept) == [*range(1, 100_002), *range(last - 99_999, last + 1)]
            kept.pop(100_001)
            assert all(kept[n] == f"line {n}" for n in kept if n != last)

    asyncio.run(scenario())


@pytest.mark.parametrize("frees", [True, False], ids=["for a while", "until the end"])
def test_where_the_disk_was_full_no_log_is_whole_that_has_holes(
    controller: Controller, agent: AgentProcess, frees: bool
) -> None:
    attempts = controller.directory / "state" / "attempts"

    async def scenario() -> None:
        async with controller.working():
            agent.start()
            parameters = {"frees": "yes"} if frees else {}
            app = place(controller, DISK_FULL, "6" * 64)
            job = Order(job="full", attempt=1, app=app, parameters=parameters, resources=Resources(disk_mb=100))
            await controller.send(job)
            end, _ = await end_of(controller, job.job)
            assert (end.cause, end.log_lines) == (Cause.OK, 400)
            kept = controller.lines_of(job.job)
            assert all(line.startswith(f"line {n} x") for n, line in kept.items())
            assert len(kept) == 400 if frees else 125 <= len(kept) < 200

    with small_disk(attempts, controller.directory / "disk"):
        try:
            asyncio.run(scenario())
        finally:
            agent.signal(signal.SIGTERM)
