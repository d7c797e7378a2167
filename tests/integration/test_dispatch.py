"""Nodes without an agent, as they are: a real sshd, real plays, the scheduler and the plays process as processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dispatching import Controller, FarMachine, far_machine, until, working
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.database.models import Attempt, Job
from webfront.jobs.lifecycle import request_cancel
from webfront.plays.verbs import REMOVE

pytestmark = pytest.mark.stores("sqlite")


@pytest.fixture
def controller(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Iterator[Controller]:
    with working(broker, store, tmp_path) as made:
        yield made


@pytest.fixture
def far() -> Iterator[FarMachine]:
    with far_machine() as machine:
        yield machine


def test_a_machine_without_an_agent_is_registered_runs_jobs_and_is_given_back(
    controller: Controller, far: FarMachine
) -> None:
    play = controller.register("far", far)
    assert play.state == "succeeded", controller.steps(play.id)
    until(lambda: controller.node("far").state == "active")
    node = controller.node("far")
    assert node.metrics["events_per_second"] > 0
    assert node.arch == os.uname().machine
    assert node.score is not None
    assert [one["name"] for one in controller.api.get("users") if one["name"].startswith("node-")] == ["node-far"]

    job = controller.submit(controller.app(), seconds="4")
    until(lambda: controller.lines(job), 40)
    # Live: while it runs.
    assert controller.state(job) == "running"
    until(lambda: len(controller.lines(job)) > 4)
    assert controller.state(job) == "running"
    assert controller.ended(job) == "succeeded", Job.get_by_id(job).message
    assert controller.predictions(job) == f"ran,{job},1\n"
    lines = controller.lines(job)
    assert lines[0].startswith("begun as 60")
    assert lines[1:] == [f"line {n}" for n in range(1, len(lines))]
    assert Attempt.get(Attempt.job == job).cause == "ok"
    until(lambda: far.orders() == [])
    assert far.processes() == {}

    removed = controller.plays.begin(controller.account, "far", REMOVE)
    ended = controller.played(removed.id)
    assert ended.state == "succeeded", controller.steps(removed.id)
    assert not far.root.exists()
    assert "skerry" not in far.authorized.read_text().replace(far.sshd.user, "")
    assert controller.api.get("users", "node-far") is None
    until(lambda: not (controller.folder / "dispatch" / "nodes" / "far").exists())


def test_what_runs_there_ends_for_its_own_cause_and_is_cancelled_at_once(
    controller: Controller, far: FarMachine
) -> None:
    play = controller.register("far", far)
    assert play.state == "succeeded", controller.steps(play.id)
    version = controller.app()
    failing = controller.submit(version, status="3")
    assert controller.ended(failing) == "failed"
    assert controller.causes(failing) == ["app_error"]
    assert Attempt.get(Attempt.job == failing).exit_code == 3

    slow = controller.submit(controller.app("slow", resources={"timeout_s": 2}), seconds="60")
    assert controller.ended(slow) == "failed"
    assert controller.causes(slow) == ["timeout"]

    greedy = controller.submit(controller.app("greedy", resources={"memory_mb": 64}), seconds="60", megabytes="300")
    assert controller.ended(greedy) == "failed"
    assert set(controller.causes(greedy)) == {"out_of_memory"}

    running = controller.submit(version, seconds="60")
    until(lambda: controller.lines(running), 40)
    asked = time.monotonic()
    request_cancel(running, time.time())
    assert controller.ended(running, 20) == "cancelled"
    until(lambda: not far.processes(), 5)
    assert time.monotonic() - asked < 5
    assert controller.causes(running) == ["cancelled"]

    sent = controller.submit(version, seconds="60")
    until(lambda: Attempt.select().where((Attempt.job == sent) & (Attempt.preparing != "")).exists(), 40)
    request_cancel(sent, time.time())
    assert controller.ended(sent, 20) == "cancelled"
    until(lambda: not far.processes() and far.orders() == [])


def test_the_plays_process_is_killed_and_ssh_is_cut_while_a_job_runs(controller: Controller, far: FarMachine) -> None:
    play = controller.register("far", far)
    assert play.state == "succeeded", controller.steps(play.id)
    job = controller.submit(controller.app(), seconds="14")
    until(lambda: controller.lines(job), 40)
    controller.kill("plays", signal.SIGKILL)
    far.relay.cut()
    controller.start("plays")
    time.sleep(2)
    far.relay.mend()
    told = len(controller.lines(job))
    until(lambda: len(controller.lines(job)) > told, 30)
    assert controller.ended(job) == "succeeded", Job.get_by_id(job).message
    assert controller.causes(job) == ["ok"]
    lines = controller.lines(job)
    assert lines[1:] == [f"line {n}" for n in range(1, len(lines))]
    assert controller.predictions(job) == f"ran,{job},1\n"
    until(lambda: far.orders() == [] and far.processes() == {})
