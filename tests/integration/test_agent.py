"""The agent's core on a real RabbitMQ, as a node's own broker user. Real apps and SIGKILL: test_agent_deaths.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from support.node import Controller, InProcessRunner, agent_running, order, until
from support.rabbitmq import PrivateRabbit

from node_scripts import execution
from node_scripts.running.interface import Prepared, RunningAttempt
from wire import topology
from wire.messages import Cancel, Cause, Claimed, Finished, HeldAttempt, Order, Preparing, RunBenchmark, Started


def test_each_order_is_told_once_in_order_and_whole(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        runner = InProcessRunner()
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(SKERRY_NODE_SLOTS="4"), runner),
        ):
            orders = [order(lines=str(n * 37 % 1300)) for n in range(200)]
            await controller.send(*orders)
            await controller.send(*orders[:50])
            await until(lambda: len(controller.ends()) == 200)
            await asyncio.sleep(0.3)
            await controller.send(*orders)  # the last ones perhaps, the first ones surely after their end
            await until(lambda: all(len(ends) > 1 for ends in controller.ends().values()))
            for one in orders:
                # A copy of its order is answered with the same words once more.
                kinds = [type(event) for event in dict.fromkeys(controller.of(one.job))]
                assert kinds[:2] == [Claimed, Started]
                assert [kinds.count(kind) for kind in (Claimed, Started, Finished)] == [1, 1, 1]
                assert kinds[-1] is Finished
                assert controller.log_of(one.job) == [f"line {n}" for n in range(1, int(one.parameters["lines"]) + 1)]
            assert set(runner.launches.values()) == {1}
            assert set(runner.slots) == {0, 1, 2, 3}
            await until(lambda: controller.heartbeats[-1].held == ())

    asyncio.run(scenario())


def test_slots_bound_what_runs_and_heartbeats_list_what_is_held(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(SKERRY_NODE_SLOTS="2"), InProcessRunner()),
        ):
            orders = [order(seconds="0.8") for _ in range(3)]
            await controller.send(*orders)
            await until(lambda: sum(controller.started(one.job) for one in orders) == 2)
            await until(
                lambda: set(controller.heartbeats[-1].held) == {HeldAttempt(one.job, one.attempt) for one in orders}
            )
            assert sum(controller.started(one.job) for one in orders) == 2
            metrics = controller.heartbeats[-1].metrics
            assert metrics.cpu_count >= 1
            assert 0 < metrics.free_memory_gb < metrics.memory_gb
            await until(lambda: len(controller.ends()) == 3)

    asyncio.run(scenario())


def test_cancel_ends_an_attempt_wherever_it_stands(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        runner = InProcessRunner()
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(), runner),
        ):
            early, running, preparing, waiting = (order(seconds="30") for _ in range(4))
            preparing = order(prepare="30")
            await controller.control(Cancel(job=early.job, attempt=1))
            await asyncio.sleep(0.2)
            await controller.send(early)
            await until(lambda: early.job in controller.ends())
            await controller.send(running)
            await until(lambda: controller.started(running.job))
            await controller.send(preparing, waiting)
            await until(lambda: controller.claimed(waiting.job))
            await controller.control(Cancel(job=waiting.job, attempt=1))
            await until(lambda: waiting.job in controller.ends())
            await controller.control(Cancel(job=running.job, attempt=1))
            await until(lambda: any(isinstance(event, Preparing) for event in controller.of(preparing.job)))
            await controller.control(Cancel(job=preparing.job, attempt=1))
            await controller.control(Cancel(job=preparing.job, attempt=1))
            await until(lambda: preparing.job in controller.ends())
            assert [
                [end.cause for end in controller.ends()[one.job]] for one in (early, running, preparing, waiting)
            ] == [[Cause.CANCELLED]] * 4
            assert list(runner.launched) == [(running.job, 1)]
            await until(lambda: set(runner.forgotten) == {early.job, preparing.job, waiting.job})
            after = order()
            await controller.send(after)
            await until(lambda: [end.cause for end in controller.ends()[after.job]] == [Cause.OK])

    asyncio.run(scenario())


def test_an_attempt_that_is_not_ready_in_time_is_for_another_node(
    broker: PrivateRabbit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "PREPARE_S", 1.5)

    async def scenario() -> None:
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(SKERRY_NODE_SLOTS="1"), InProcessRunner()),
        ):
            slow, after = order(prepare="600"), order()
            await controller.send(slow, after)
            await until(lambda: slow.job in controller.ends())
            (end,) = controller.ends()[slow.job]
            assert end.cause is Cause.REJECTED
            assert end.message.endswith("the node was getting ready")
            (told,) = [event for event in controller.of(slow.job) if isinstance(event, Preparing)]
            assert (told.what, told.detail) == ("getting ready", "")
            assert told.since is not None
            assert told.until is not None
            assert 0 <= told.until - told.since <= 1.5
            assert not controller.started(slow.job)
            # Its slot is free again.
            await until(lambda: [one.cause for one in controller.ends()[after.job]] == [Cause.OK])

    asyncio.run(scenario())


def test_what_cannot_be_prepared_or_read_ends_in_words(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(), InProcessRunner()),
        ):
            refused = order(refuse="no such package")
            unreadable = [b"{}", b'{"type":"submitted","v":1,"job":"x"}', b'{"type":"order","v":9}']
            outside = order("../../etc")
            for body in unreadable:
                await controller.publish(topology.JOBS, body)
            await controller.send(outside, refused)
            await until(lambda: len(controller.dead) == 4 and refused.job in controller.ends())
            (end,) = controller.ends()[refused.job]
            assert (end.cause, end.message) == (Cause.APP_ERROR, "no such package")

    asyncio.run(scenario())


def test_a_share_that_is_away_for_a_moment_costs_no_results(
    broker: PrivateRabbit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node_scripts.execution._FINISH_PAUSES_S", (0.05, 0.05))

    async def scenario() -> None:
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(), InProcessRunner()),
        ):
            back_in_time, too_late = order(unstorable="2", lines="3"), order(unstorable="3", lines="3")
            await controller.send(back_in_time, too_late)
            await until(lambda: len(controller.ends()) == 2)
            assert [end.cause for end in controller.ends()[back_in_time.job]] == [Cause.OK]
            (end,) = controller.ends()[too_late.job]
            assert (end.cause, end.message, end.log_lines) == (
                Cause.REJECTED,
                "its results could not be stored: stale file handle",
                3,
            )

    asyncio.run(scenario())


def test_without_the_broker_jobs_go_on_and_everything_is_told_after(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        runner = InProcessRunner()
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(), runner),
        ):
            orders = [order(seconds="0.4", lines="1200") for _ in range(3)]
            await controller.send(*orders)
            await until(lambda: all(controller.claimed(one.job) for one in orders))
            await asyncio.to_thread(broker.kill)
            await until(lambda: len(runner.launches) == 3)  # one slot: the third began after the others had ended
            await asyncio.to_thread(broker.start)
            await until(lambda: len(controller.ends()) == 3, timeout=60)
            for one in orders:
                assert [end.log_lines for end in controller.ends()[one.job]] == [1200]
                assert len(controller.log_of(one.job)) == 1200
            assert set(runner.launches.values()) == {1}

    asyncio.run(scenario())


def test_the_next_start_goes_on_where_the_last_one_ended(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        runner = InProcessRunner()
        async with Controller(broker, tmp_path).working() as controller:
            settings = controller.settings()
            running, waiting = order(seconds="2.5", lines="700"), order(lines="3")
            async with agent_running(settings, runner):
                await controller.send(running, waiting)
                await until(lambda: controller.started(running.job) and controller.claimed(waiting.job))
            assert not controller.ends()
            async with agent_running(settings, runner):
                await until(lambda: len(controller.ends()) == 2)
            assert [len(ends) for ends in controller.ends().values()] == [1, 1]
            assert len(controller.log_of(running.job)) == 700
            assert len(controller.log_of(waiting.job)) == 3
            assert set(runner.launches.values()) == {1}
            async with agent_running(settings, runner):
                await until(lambda: controller.heartbeats[-1].held == ())
                first = controller.ends()[running.job]
                await controller.send(running)  # once more, long after: whoever sends it has not heard of its end
                await until(lambda: controller.ends()[running.job] == [*first, *first])
            assert runner.launches[running.job, 1] == 1

    asyncio.run(scenario())


def test_the_benchmark_runs_on_request_and_its_figure_is_in_the_heartbeats(
    broker: PrivateRabbit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with Controller(broker, tmp_path).working() as controller:
            for name, value in controller.environment().items():
                monkeypatch.setenv(name, value)
            async with agent_running(controller.settings(), InProcessRunner()):
                await until(lambda: controller.heartbeats)
                assert controller.heartbeats[-1].metrics.events_per_second is None
                await controller.control(RunBenchmark())
                await until(lambda: controller.heartbeats[-1].metrics.events_per_second)
                assert (controller.heartbeats[-1].metrics.events_per_second or 0) > 10

    asyncio.run(scenario())


def test_an_error_that_nothing_expects_ends_its_attempt_and_not_the_agent(
    broker: PrivateRabbit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the runner breaks for one attempt, that one ends as rejected or well, and the next one runs."""

    class BrokenRunner(InProcessRunner):
        async def launch(self, prepared: Prepared) -> RunningAttempt:
            running = await super().launch(prepared)
            where = prepared.order.parameters.get("breaks", "")  # type: ignore[attr-defined]

            def broken(*_: object) -> NoReturn:
                raise RecursionError(f"in {where}")

            if where:
                monkeypatch.setattr(running, where, broken, raising=True)
            return running

        async def prepare(self, order: Order, slot: int, preparing: Callable[[str], None]) -> Prepared:
            if order.parameters.get("breaks") == "prepare":
                raise RecursionError("in prepare")
            return await super().prepare(order, slot, preparing)

    async def scenario() -> None:
        async with (
            Controller(broker, tmp_path).working() as controller,
            agent_running(controller.settings(SKERRY_NODE_SLOTS="1"), BrokenRunner()),
        ):
            for where in ("prepare", "wait", "read_log", "finish", "discard"):
                one = order(lines="3", breaks=where)
                await controller.send(one)
                await until(lambda one=one: one.job in controller.ends())  # type: ignore[misc]
                (end,) = controller.ends()[one.job]
                expected = Cause.OK if where in ("read_log", "discard") else Cause.REJECTED
                assert end.cause is expected, (where, end)
                assert expected is Cause.OK or f"in {where}" in end.message
            last = order(lines="2")
            await controller.send(last)
            await until(lambda: last.job in controller.ends())
            await until(lambda: controller.heartbeats[-1].held == ())

    asyncio.run(scenario())
