"""Dead is noticed soon, and never wrongly: real scheduler processes on a real RabbitMQ, nodes cut off in many ways."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.agents import AgentProcess, put_app
from support.platform import Platform, ScriptedNode, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.database.models import Attempt, Job, Leadership, Look, Node

pytestmark = pytest.mark.stores("sqlite")

SHIPPED = {"SKERRY_HEARTBEAT_SUSPECT_S": "8", "SKERRY_HEARTBEAT_DEAD_S": "15"}
"""The settings' own defaults, by which the promises are made."""

STOPPING_IN_A_WRITE = """
import os, pathlib, runpy, signal, sys
from webfront.activity.term import Term
check = Term.check
def stopping(term):
    check(term)
    order = pathlib.Path(os.environ["SKERRY_STATE_DIR"]) / "stop-in-a-write"
    if order.exists():
        order.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
Term.check = stopping
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""A scheduler that stops itself in the middle of a transaction when there is such a file."""

TICKING = """
import sys, time
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
time.sleep(SECONDS)
Path(given["--output"], "predictions.csv").write_text("y\\n4\\n")
"""

ROOM_S = 10.0
"""For a machine that is slow and does other things."""


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    # Users that apps run as must be able to reach the folder.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return Platform(broker, store, tmp_path)


def attempts(job: str) -> list[tuple[str, str | None]]:
    return [(one.node, one.cause) for one in Attempt.select().where(Attempt.job == job).order_by(Attempt.number)]


def state(node: str) -> str:
    return str(Node.get(Node.name == node).state)


async def seconds_until(condition: Callable[[], object], timeout: float) -> float:
    begun = time.monotonic()
    await until(condition, timeout)
    return time.monotonic() - begun


async def settled(platform: Platform) -> None:
    """A broker that is known not to have been restarted just now, as the schedulers of these tests find it."""

    def up_for() -> float:
        return float(platform.api.get("nodes")[0].get("uptime", 0)) / 1000

    await until(lambda: up_for() > 61, 90)


def connections_of(platform: Platform, name: str) -> int:
    found = platform.api.get("connections") or []
    return sum(1 for one in found if str(one.get("client_properties", {}).get("connection_name", "")).startswith(name))


def test_a_node_whose_connection_closes_gets_no_orders_and_its_unclaimed_ones_go_elsewhere(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=4)
        platform.node("beta", slots=1)
        # Not one further attempt: an order that was never claimed costs none.
        version = platform.app(retries={"node_lost": 0, "rejected": 0})
        async with platform.working(**SHIPPED), contextlib.AsyncExitStack() as nodes:
            alpha = ScriptedNode(platform, "alpha", answers=False)
            await nodes.enter_async_context(alpha.working())
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            beta = ScriptedNode(platform, "beta")
            await nodes.enter_async_context(beta.working())
            alpha.beats = False
            platform.api.delete("connections", "username", "node-alpha")
            await alpha.broker.stop()
            took = await seconds_until(lambda: attempts(job)[0] == ("alpha", "cancelled"), 2 + ROOM_S)
            assert state("alpha") == "suspect"
            await until(lambda: Job.get_by_id(job).state == "succeeded")
            assert attempts(job) == [("alpha", "cancelled"), ("beta", "ok")]
            (later,) = platform.submit(version)
            await until(lambda: Job.get_by_id(later).state == "succeeded")
            assert attempts(later) == [("beta", "ok")]
            print(f"its order went elsewhere {took:.1f} s after its connection closed")

    asyncio.run(scenario())


def test_what_runs_is_given_up_after_fifteen_seconds_and_taken_back_before(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        version = platform.app(retries={"node_lost": 0})
        async with platform.working(**SHIPPED), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            alpha.say(*alpha.claimed(alpha.orders[0]))
            await until(lambda: Job.get_by_id(job).state == "running")
            # It is back after some seconds, as an agent is that crashed.
            alpha.beats = False
            alpha.broker.drop("the test")
            await until(lambda: state("alpha") == "active")
            assert attempts(job) == [("alpha", None)]
            alpha.beats = True
            await asyncio.sleep(1)
            # And now it is not.
            alpha.beats = False
            await alpha.broker.stop()
            begun = time.monotonic()
            await until(lambda: state("alpha") == "suspect", 2 + ROOM_S)
            await until(lambda: Job.get_by_id(job).state == "failed", 17 + ROOM_S)
            assert time.monotonic() - begun > 14.5, "it had 15 s to be back"
            assert attempts(job) == [("alpha", "node_lost")]
            assert state("alpha") == "dead"
            assert "connection to the broker is closed" in Node.get().state_reason

    asyncio.run(scenario())


@pytest.mark.parametrize("restarts", [False, True], ids=["one scheduler", "a scheduler that restarts every 11 s"])
def test_a_node_that_falls_silent_is_given_up_within_fifteen_seconds(platform: Platform, restarts: bool) -> None:
    async def scenario() -> None:
        await settled(platform)
        platform.node("alpha")
        async with platform.working(**SHIPPED), ScriptedNode(platform, "alpha").working() as alpha:
            alpha.beats = False  # it stays connected, as one does that is stopped
            began = restarted = time.monotonic()
            # A scheduler that is away listens to nobody: that time comes on top.
            while state("alpha") != "dead":
                assert time.monotonic() - began < 15 + ROOM_S * (2 if restarts else 1)
                await asyncio.sleep(0.1)
                if restarts and time.monotonic() - restarted > 11:
                    platform.schedulers[-1].kill()
                    platform.schedulers[-1].wait()
                    platform.start_scheduler(**SHIPPED)
                    restarted = time.monotonic()
            print(f"dead after {time.monotonic() - began:.1f} s")

    asyncio.run(scenario())


def test_a_restart_of_the_broker_is_no_nodes_death(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        version = platform.app(retries={"node_lost": 0})
        async with platform.working(**SHIPPED), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            alpha.say(*alpha.claimed(alpha.orders[0]))
            await until(lambda: Job.get_by_id(job).state == "running")
            await asyncio.sleep(5)  # what was declared just now is on the broker's disk
            await asyncio.to_thread(platform.rabbit.restart)
            await asyncio.sleep(30)
            assert state("alpha") == "active"
            assert attempts(job) == [("alpha", None)]
            assert "is dead" not in platform.log()

    asyncio.run(scenario())


def test_an_alarm_of_the_broker_is_no_nodes_death_and_is_told(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        version = platform.app(retries={"node_lost": 0})
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            alpha.say(*alpha.claimed(alpha.orders[0]))
            await until(lambda: Job.get_by_id(job).state == "running")
            with in_need(platform.rabbit):
                told = await seconds_until(
                    lambda: [one.trouble for one in Look.select()] == ["the broker blocks: its disk is full"], 20
                )
                await asyncio.sleep(12)  # three times as long as a silent node has here
                assert state("alpha") in ("active", "suspect")
            await until(lambda: [one.trouble for one in Look.select()] == [""])
            await asyncio.sleep(6)
            assert state("alpha") == "active"
            assert attempts(job) == [("alpha", None)]
            assert "is dead" not in platform.log()
            print(f"told after {told:.1f} s")

    asyncio.run(scenario())


@contextlib.contextmanager
def in_need(rabbit: PrivateRabbit) -> Iterator[None]:
    """Its disk is full, as it thinks."""
    rabbit.control("set_disk_free_limit", "900GB")
    try:
        yield
    finally:
        rabbit.control("set_disk_free_limit", "50MB")


def test_a_scheduler_that_was_stopped_for_a_minute_takes_no_node_for_dead(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        async with platform.working(), ScriptedNode(platform, "alpha").working():
            platform.schedulers[-1].send_signal(signal.SIGSTOP)
            await asyncio.sleep(60)
            platform.schedulers[-1].send_signal(signal.SIGCONT)
            before = platform.log().count("leading, as epoch")
            await until(lambda: platform.log().count("leading, as epoch") > before, 60)
            await asyncio.sleep(6)
            assert state("alpha") == "active"
            assert "is dead" not in platform.log()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("end", "away_s"),
    [(signal.SIGKILL, 2.0), (signal.SIGTERM, 20.0)],
    ids=["killed, and started again by its unit", "stopped for an upgrade, longer than a node is waited for"],
)
def test_an_agent_that_is_back_in_time_loses_nothing(
    platform: Platform, alpha: AgentProcess, end: signal.Signals, away_s: float
) -> None:
    async def scenario() -> None:
        files = {"main.py": TICKING.replace("SECONDS", str(away_s + 10))}
        version = put_app(platform, "ticking", files, retries={"node_lost": 0})
        async with platform.working(**SHIPPED):
            alpha.start()
            await until(lambda: state("alpha") == "active", 60)
            (job,) = platform.submit(version)
            await until(lambda: Job.get_by_id(job).state == "running", 60)
            alpha.signal(end)
            await until(lambda: state("alpha") == "suspect", 2 + ROOM_S)
            await asyncio.sleep(away_s)
            assert state("alpha") == "suspect"
            alpha.start()
            await until(lambda: state("alpha") == "active", 60)
            await until(lambda: Job.get_by_id(job).state == "succeeded", 60)
            assert attempts(job) == [("alpha", "ok")]
            if end is signal.SIGTERM:
                assert "its agent has stopped, and is to be back within 60 s" in platform.log()

    asyncio.run(scenario())


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_takeover_takes_five_seconds_at_most(platform: Platform, end: signal.Signals) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        version = platform.app()
        async with platform.working(**SHIPPED), ScriptedNode(platform, "alpha").working():
            second = platform.start_scheduler(**SHIPPED)
            await until(lambda: "stands by" in platform.log())
            await until(lambda: connections_of(platform, "skerry scheduler") == 2)
            epoch = Leadership.get().epoch
            platform.schedulers[0].send_signal(end)
            took = await seconds_until(lambda: Leadership.get().epoch > epoch, 5 + ROOM_S)
            (job,) = platform.submit(version)
            placed = await seconds_until(lambda: Job.get_by_id(job).state == "succeeded", 5 + ROOM_S)
            print(f"took over after {took:.1f} s, and a job ran {placed:.1f} s later")
            assert second.poll() is None
            if end is signal.SIGSTOP:
                # It wakes up, finds that it leads no more, and changes nothing.
                platform.schedulers[0].send_signal(signal.SIGCONT)
                after = Leadership.get().epoch
                await asyncio.sleep(3)
                assert Leadership.get().epoch == after
                with contextlib.suppress(subprocess.TimeoutExpired):
                    assert platform.schedulers[0].wait(0.1) == 1

    asyncio.run(scenario())


def test_a_takeover_from_a_scheduler_that_stopped_while_it_wrote_takes_no_longer(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha")
        async with platform.working(**SHIPPED), ScriptedNode(platform, "alpha").working():
            platform.start_scheduler(**SHIPPED)
            await until(lambda: "stands by" in platform.log())
            epoch = Leadership.get().epoch
            Path(platform.directory / "stop-in-a-write").touch()
            took = await seconds_until(lambda: Leadership.get().epoch > epoch, 5 + ROOM_S)
            print(f"took over after {took:.1f} s")

    platform.scheduler = [sys.executable, "-c", STOPPING_IN_A_WRITE]
    asyncio.run(scenario())
