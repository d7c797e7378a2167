"""The real scheduler process on a real RabbitMQ and database; nodes that follow the test's script."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.platform import Platform, ScriptedNode, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.database.models import Attempt, Job, Leadership, LogChunk, Node
from webfront.fleet.states import NodeState, change_node
from webfront.jobs.lifecycle import request_cancel
from webfront.jobs.rankings import rankings_of
from wire import topology
from wire.messages import Cancel, Cause, Claimed, Finished, HeldAttempt, LogLines, Order, Submitted, encode


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    return Platform(broker, store, tmp_path)


def causes(job: str) -> list[tuple[str, str | None]]:
    """Each attempt's node and cause, in order."""
    return [(a.node, a.cause) for a in Attempt.select().where(Attempt.job == job).order_by(Attempt.number)]


def batch(*events: Any, v: int, **more: object) -> bytes:
    """A message of events, of which some may be of no kind that is known here."""
    return msgspec.json.encode({"type": "events", "v": v, "events": events, **more})


def test_a_burst_spreads_by_slots_and_each_job_ends_once(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=2)
        platform.node("beta", slots=4)
        version = platform.app()
        async with (
            platform.working(),
            ScriptedNode(platform, "alpha", answers=False).working() as alpha,
            ScriptedNode(platform, "beta", answers=False).working() as beta,
        ):
            jobs = platform.submit(version, 100)
            await until(lambda: len(alpha.orders) + len(beta.orders) == 8)
            await asyncio.sleep(0.3)
            # Slots and one order of backlog each, and not one more: the others wait in the database.
            assert (len(alpha.orders), len(beta.orders)) == (3, 5)
            await until(lambda: "alpha and beta have no free slot" in Job.get_by_id(jobs[-1]).waiting_reason)
            for node in (alpha, beta):
                node.answers = True
                for order in node.orders:
                    node.say(*node.claimed(order), *node.run(order))
                node.held.clear()
            await until(lambda: platform.states(jobs) == {"succeeded": 100})
            assert Attempt.select().count() == 100
            for job in jobs:
                assert platform.log_of(job) == [f"line {n} of {job}" for n in (1, 2, 3)]
            attempt = Attempt.get(Attempt.job == jobs[0])
            assert attempt.placement["considered"] == 2
            assert {one["node"] for one in rankings_of(attempt.job)[1]} == {"alpha", "beta"}
            assert attempt.placement["sentence"].startswith(f"{attempt.node} won: ")
            assert attempt.published_at is not None
            times = [attempt.placed_at, attempt.claimed_at, attempt.started_at, attempt.ended_at]
            assert times == sorted(moment for moment in times if moment is not None)

    asyncio.run(scenario())


def test_what_comes_twice_late_or_from_another_node_changes_nothing(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        platform.node("beta", slots=1)
        version = platform.app()
        async with (
            platform.working(),
            ScriptedNode(platform, "alpha", answers=False).working() as alpha,
        ):
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            order = alpha.orders[0]
            async with ScriptedNode(platform, "beta", answers=False).working() as beta:
                lines = ("one", "two", "three", "four")
                # Another's, unknown, unreadable, not a node's: none of it holds up what follows.
                beta.say(Finished(job, 1, time.time(), Cause.OK), Claimed("nobody", 1, time.time()))
                alpha.broker.publish(topology.EVENTS, "", b"\xff not a message")
                alpha.send(Order(job=job, attempt=1, app=order.app))
                platform.broker.publish(topology.EVENTS, "", encode(Submitted(job="no such fence")))
                alpha.say(LogLines(job, 1, time.time(), 2**70, ("far",)))
                alpha.say(*alpha.claimed(order), LogLines(job, 1, time.time(), 1, lines[:2]))
                alpha.say(LogLines(job, 1, time.time(), 2, lines[1:3]), LogLines(job, 1, time.time(), 1, lines[:1]))
                alpha.say(LogLines(job, 1, time.time(), 6, ("six",)), LogLines(job, 1, time.time(), 3, lines[2:]))
                await until(lambda: platform.log_of(job) == [*lines, "six"])
                assert Job.get_by_id(job).state == "running"
                await until(lambda: Cancel(job="nobody", attempt=1) in beta.cancels)
                await alpha.say(Finished(job, 1, time.time(), Cause.OK, log_lines=6))
                await alpha.say(
                    Finished(job, 1, time.time(), Cause.APP_ERROR), LogLines(job, 1, time.time(), 5, ("5",))
                )
                alpha.held.clear()
                await until(lambda: Job.get_by_id(job).state == "succeeded")
                (after,) = platform.submit(version)
                await until(lambda: len(alpha.orders) + len(beta.orders) == 2)
                assert causes(job) == [("alpha", "ok")]
                assert platform.log_of(job) == [*lines, "six"]
                assert {c.first for c in LogChunk.select()} == {1, 3, 4, 6}
                assert Job.get_by_id(after).state == "placed"

    asyncio.run(scenario())


def test_of_a_batch_what_can_be_read_is_applied_and_the_rest_is_told_of_once(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = platform.app()
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            warmed = {"type": "warmed", "job": job, "attempt": 1, "at": time.time(), "degrees": [21.5]}
            claimed, started = alpha.claimed(alpha.orders[0])
            lines, finished = alpha.run(alpha.orders[0])
            publish = functools.partial(alpha.broker.publish, topology.EVENTS, "")
            await publish(batch(claimed, warmed, {**warmed, "type": "log", "first": "one"}, started, 7, v=1))
            await until(lambda: Job.get_by_id(job).state == "running")
            # Of another version nothing is read, and what follows is not held up.
            await publish(batch(finished, v=2))
            await publish(batch(*[warmed] * 50, lines, warmed, finished, v=1, mood="sunny"))
            await until(lambda: Job.get_by_id(job).state == "succeeded")
            assert platform.log_of(job) == [f"line {n} of {job}" for n in (1, 2, 3)]
            assert causes(job) == [("alpha", "ok")]
            log = platform.log()
            assert log.count("'warmed' from node-alpha") == 1
            assert log.count("'log' from node-alpha") == log.count("message version 2 is not known here") == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("claim_is_read", [True, False])
def test_an_end_that_cannot_be_read_is_an_end_all_the_same(platform: Platform, claim_is_read: bool) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = platform.app(retries={"node_lost": 0})
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            if claim_is_read:
                alpha.say(*alpha.claimed(alpha.orders[0]))
            end = {"type": "suspended", "job": job, "attempt": 1, "at": time.time()}
            await alpha.broker.publish(topology.EVENTS, "", batch(end, v=1))
            await until(lambda: Attempt.get(Attempt.job == job).claimed_at is not None)
            await asyncio.sleep(1)
            assert Job.get_by_id(job).state in ("placed", "running")  # the node lists it yet
            alpha.held.clear()
            await until(lambda: Job.get_by_id(job).state == "failed")
            assert causes(job) == [("alpha", "node_lost")]
            assert Job.get_by_id(job).message.endswith("too old to read all that it said of it (suspended)")

    asyncio.run(scenario())


def test_a_silent_node_loses_its_jobs_and_a_returning_one_its_stale_ones(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=4)
        version = platform.app()
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            running, cancelled = platform.submit(version, 2)
            await until(lambda: len(alpha.orders) == 2)
            alpha.say(*[event for order in alpha.orders for event in alpha.claimed(order)])
            await until(lambda: platform.states([running, cancelled]) == {"running": 2})
            request_cancel(cancelled, time.time())
            await until(lambda: Cancel(job=cancelled, attempt=1) in alpha.cancels)
            alpha.beats = False
            await until(lambda: Node.get(Node.name == "alpha").state == "suspect")
            assert Job.get_by_id(running).state == "running"
            await until(lambda: Node.get(Node.name == "alpha").state == "dead")
            assert Job.get_by_id(cancelled).state == "cancelled"
            assert causes(running) == [("alpha", "node_lost")]
            assert Job.get_by_id(running).excluded_nodes == ["alpha"]
            platform.node("beta", slots=1)
            async with ScriptedNode(platform, "beta").working():
                await until(lambda: Job.get_by_id(running).state == "succeeded")
                alpha.cancels.clear()
                alpha.beats = True
                await until(lambda: Node.get(Node.name == "alpha").state == "active")
                await until(lambda: {c.job for c in alpha.cancels} == {running, cancelled})
                await alpha.say(*alpha.run(alpha.orders[0]))
                await asyncio.sleep(0.3)
                assert causes(running) == [("alpha", "node_lost"), ("beta", "ok")]
                assert platform.log_of(running) == [f"line {n} of {running}" for n in (1, 2, 3)]

    asyncio.run(scenario())


def test_a_node_without_a_queue_and_a_node_that_takes_nothing_reject(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = platform.app(retries={"rejected": 1})
        async with platform.working(), ScriptedNode(platform, "alpha").working() as alpha:
            await alpha.broker.stop()
            alpha.beats = False
            platform.api.delete("queues", "/", topology.jobs_queue("alpha"))
            (job,) = platform.submit(version)
            await until(lambda: causes(job) == [("alpha", "rejected")])
            change_node("alpha", NodeState.DRAINING)
            platform.node("beta", slots=1)
            async with ScriptedNode(platform, "beta", answers=False).working() as beta:
                await until(lambda: beta.orders)
                # Dead letters: the broker has given up delivering the order, before its claim and after.
                dead = Order(job=job, attempt=2, app=beta.orders[0].app)
                await platform.broker.publish(topology.DEAD, "", encode(dead))
                await until(lambda: Job.get_by_id(job).state == "failed")
                assert Job.get_by_id(job).cause == "rejected"
                assert "however often" in Job.get_by_id(job).message
                (job,) = platform.submit(version)
                await until(lambda: len(beta.orders) == 2)
                beta.say(*beta.claimed(beta.orders[1]))
                await until(lambda: Job.get_by_id(job).state == "running")
                await platform.broker.publish(topology.DEAD, "", encode(Order(job=job, attempt=1, app=dead.app)))
                await beta.say(*beta.run(beta.orders[1]))
                await until(lambda: Job.get_by_id(job).state == "succeeded")

    asyncio.run(scenario())


def test_a_removed_nodes_jobs_go_elsewhere_and_a_draining_one_gets_none(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = platform.app()
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            (job,) = platform.submit(version)
            await until(lambda: alpha.orders)
            alpha.say(*alpha.claimed(alpha.orders[0]))
            await until(lambda: Job.get_by_id(job).state == "running")
            change_node("alpha", NodeState.DRAINING)
            (second,) = platform.submit(version)
            await until(lambda: "alpha is not active" in Job.get_by_id(second).waiting_reason)
            change_node("alpha", NodeState.REMOVED)
            await until(lambda: Job.get_by_id(job).state == "queued")
            await until(lambda: Cancel(job=job, attempt=1) in alpha.cancels)
            platform.node("beta", slots=1)
            async with ScriptedNode(platform, "beta").working():
                await until(lambda: platform.states([job, second]) == {"succeeded": 2})
            assert causes(job) == [("alpha", "node_lost"), ("beta", "ok")]
            assert Node.get(Node.name == "alpha").state == "removed"

    asyncio.run(scenario())


def test_a_claim_that_a_living_node_no_longer_holds_is_lost(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=2)
        version = platform.app(retries={"node_lost": 0})
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            kept, lost = platform.submit(version, 2)
            await until(lambda: len(alpha.orders) == 2)
            alpha.say(*[event for order in alpha.orders for event in alpha.claimed(order)])
            await until(lambda: platform.states([kept, lost]) == {"running": 2})
            alpha.held.discard(HeldAttempt(lost, 1))
            await until(lambda: Job.get_by_id(lost).state == "failed")
            assert (Job.get_by_id(lost).cause, Job.get_by_id(kept).state) == ("node_lost", "running")
            assert "no longer has this attempt" in Job.get_by_id(lost).message

    asyncio.run(scenario())


def test_a_cancelled_job_ends_wherever_it_is(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = platform.app()
        async with (
            platform.working(SKERRY_NODE_BACKLOG="0"),
            ScriptedNode(platform, "alpha", answers=False).working() as alpha,
        ):
            running, waiting = platform.submit(version, 2)
            await until(lambda: alpha.orders)
            alpha.say(*alpha.claimed(alpha.orders[0]))
            await until(lambda: Job.get_by_id(running).state == "running")
            assert request_cancel(waiting, time.time())
            assert Job.get_by_id(waiting).state == "cancelled"
            assert request_cancel(running, time.time())
            # Control messages are transient: the sweep repeats it until the node has ended the attempt.
            await until(lambda: alpha.cancels.count(Cancel(job=running, attempt=1)) >= 2)
            alpha.cause = Cause.CANCELLED
            alpha.say(*alpha.run(alpha.orders[0]))
            await until(lambda: Job.get_by_id(running).state == "cancelled")
            assert not request_cancel(running, time.time())
            assert len(alpha.orders) == 1

    asyncio.run(scenario())


def test_the_one_on_standby_takes_over_and_finishes_what_a_death_left(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=8)
        version = platform.app()
        async with platform.working(), ScriptedNode(platform, "alpha").working():
            jobs: list[str] = []
            for round_number in range(4):
                jobs += platform.submit(version, 150)
                await until(lambda: platform.states(jobs).get("succeeded", 0) > len(jobs) - 140)  # noqa: B023
                platform.start_scheduler()
                platform.schedulers[-2].kill()
                if round_number == 2:
                    # Rows without a hint, as a web front leaves them that dies after the commit.
                    jobs += platform.submit(version, 50, hint=False)
            await until(lambda: platform.states(jobs) == {"succeeded": len(jobs)}, timeout=40)
            assert Attempt.select().count() == len(jobs)
            assert all(platform.log_of(job) == [f"line {n} of {job}" for n in (1, 2, 3)] for job in jobs)
            assert Leadership.get().epoch == 5
            # Who is deposed without knowing changes nothing more, and ends for its process manager to see.
            Leadership.update(epoch=Leadership.epoch + 1).execute()
            (late,) = platform.submit(version)
            with contextlib.suppress(TimeoutError):
                await until(lambda: platform.schedulers[-1].poll() is not None)
            assert platform.schedulers[-1].poll() == 1
            assert Job.get_by_id(late).state == "queued"

    asyncio.run(scenario())


def test_a_broken_database_only_delays(platform: Platform, outage: Callable[[], AbstractContextManager[None]]) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=8)
        version = platform.app()
        async with platform.working(), ScriptedNode(platform, "alpha", answers=False).working() as alpha:
            jobs = platform.submit(version, 8)
            await until(lambda: len(alpha.orders) == 8)
            with outage():
                for order in alpha.orders:
                    alpha.say(*alpha.claimed(order), *alpha.run(order))
                await until(lambda: "the database cannot be used" in platform.log())
            await until(lambda: platform.states(jobs) == {"succeeded": 8})

    asyncio.run(scenario())


def test_a_node_that_fails_what_others_can_do_is_set_aside(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=3, labels=["fast"])
        platform.node("beta", slots=3)
        version = platform.app(retries={"app_error": 1})
        async with (
            platform.working(),
            ScriptedNode(platform, "alpha").working() as alpha,
            ScriptedNode(platform, "beta").working() as beta,
        ):
            alpha.cause = Cause.REJECTED
            jobs = platform.submit(version, 12)
            await until(lambda: platform.states(jobs) == {"succeeded": 12})
            node = Node.get(Node.name == "alpha")
            assert (node.state, node.consecutive_failures >= 3) == ("suspect", True)
            assert node.state_reason.startswith("set aside: ")
            taken = len(alpha.orders)
            more = platform.submit(version, 4)
            await until(lambda: platform.states(more) == {"succeeded": 4})
            assert len(alpha.orders) == taken
            assert collections.Counter(n for job in more for n, _ in causes(job)) == {"beta": 4}
            assert change_node("alpha", NodeState.ACTIVE)
            assert Node.get(Node.name == "alpha").consecutive_failures == 0
            assert beta.cancels == []

    asyncio.run(scenario())
