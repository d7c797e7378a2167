"""Nodes without an agent under faults: each job has one recorded outcome, and nothing of it is left on a machine."""

from __future__ import annotations

import functools
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dispatching import BootedMachine, Controller, FarMachine, far_machine, until, working
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from dispatch.attempt import STEPS
from webfront.database.models import Attempt, Job, Node
from webfront.plays.verbs import REMOVE

pytestmark = pytest.mark.stores("sqlite")


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbit]:
    made = PrivateRabbit(tmp_path_factory.mktemp("rabbitmq"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def controller(rabbit: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Iterator[Controller]:
    with working(rabbit, store, tmp_path, SKERRY_HEARTBEAT_SUSPECT_S="15", SKERRY_HEARTBEAT_DEAD_S="30") as made:
        yield made


@pytest.fixture
def alpha() -> Iterator[FarMachine]:
    with far_machine() as machine:
        yield machine


@pytest.fixture
def beta() -> Iterator[FarMachine]:
    with far_machine() as machine:
        yield machine


def register(controller: Controller, name: str, machine: FarMachine) -> None:
    play = controller.register(name, machine)
    assert play.state == "succeeded", controller.steps(play.id)
    until(lambda: controller.node(name).state == "active")


def _is_at(controller: Controller, job: str, words: str) -> bool:
    seen = Attempt.select().where((Attempt.job == job) & (Attempt.preparing == words))
    return bool(seen.exists()) or controller.state(job) == "succeeded"


def one_outcome(controller: Controller, job: str, attempt: int) -> None:
    assert controller.ended(job, 120) == "succeeded", (controller.causes(job), Job.get_by_id(job).message)
    assert controller.causes(job)[attempt - 1] == "ok"
    assert controller.causes(job).count("ok") == 1
    assert controller.predictions(job, attempt) == f"ran,{job},{attempt}\n"


def test_the_plays_process_is_killed_at_each_step(controller: Controller, alpha: FarMachine) -> None:
    register(controller, "alpha", alpha)
    version = controller.app()
    killed = []
    for words in STEPS.values():
        job = controller.submit(version, seconds="1")
        until(functools.partial(_is_at, controller, job, words), 60)
        if controller.state(job) == "succeeded":
            continue  # so short a step that it was over before it was seen
        killed.append(words)
        controller.kill("plays", signal.SIGKILL)
        controller.start("plays")
        one_outcome(controller, job, len(controller.causes(job)))
        until(lambda: alpha.orders() == [] and not alpha.processes())
    assert len(killed) >= 4, killed
    # And at moments that no step tells of: while it is followed, fetched, told of.
    for pause in (0.3, 0.8, 1.3, 1.8, 2.4, 3.0):
        job = controller.submit(version, seconds="0.5")
        until(functools.partial(controller.lines, job), 60)
        time.sleep(pause)
        controller.kill("plays", signal.SIGKILL)
        controller.start("plays")
        one_outcome(controller, job, len(controller.causes(job)))
    until(lambda: alpha.orders() == [] and not alpha.processes())
    assert not list((controller.folder / "dispatch" / "nodes" / "alpha" / "attempts").iterdir())


def test_a_machine_that_is_cut_off_for_long_loses_its_job_to_another_and_is_cleared_when_it_is_back(
    controller: Controller, alpha: FarMachine, beta: FarMachine
) -> None:
    register(controller, "alpha", alpha)
    job = controller.submit(controller.app(), seconds="150")
    until(lambda: controller.lines(job), 60)
    register(controller, "beta", beta)
    alpha.relay.cut()
    until(lambda: controller.node("alpha").state == "suspect", 60)
    until(lambda: controller.causes(job)[:1] == ["node_lost"], 90)
    assert alpha.processes()
    alpha.relay.mend()
    until(lambda: not alpha.processes() and alpha.orders() == [], 60)
    one_outcome(controller, job, 2)
    assert not (controller.share / "results" / job / "1").exists()
    until(lambda: controller.node("alpha").state == "active", 60)
    assert Attempt.get((Attempt.job == job) & (Attempt.number == 2)).node == "beta"


def test_a_machine_is_rebooted_while_it_runs_a_job(controller: Controller, alpha: FarMachine, beta: FarMachine) -> None:
    register(controller, "alpha", alpha)
    job = controller.submit(controller.app(), seconds="60")
    until(lambda: controller.lines(job), 60)
    register(controller, "beta", beta)
    alpha.relay.cut()
    alpha.reboot()
    alpha.relay.mend()
    one_outcome(controller, job, 2)
    assert controller.causes(job) == ["node_lost", "ok"]
    until(lambda: alpha.orders() == [] and beta.orders() == [])


def test_another_controller_takes_over_and_nothing_runs_twice_to_its_end(
    controller: Controller, alpha: FarMachine
) -> None:
    register(controller, "alpha", alpha)
    other = controller.folder / "other"
    shutil.copytree(controller.folder / "ssh", other / "ssh")
    own = {"SKERRY_STATE_DIR": str(other), "SKERRY_CONTROLLER_NAME": "other"}
    controller.start("plays", called="other", **own)
    job = controller.submit(controller.app(), seconds="300")
    until(lambda: controller.lines(job), 60)
    before = alpha.processes()
    controller.kill("plays")
    # The other knows nothing of it: it is ended there, and tried once more.
    until(lambda: controller.causes(job)[:1] == ["node_lost"], 120)
    until(lambda: not set(before) & set(alpha.processes()), 60)
    one_outcome(controller, job, 2)
    assert controller.causes(job) == ["node_lost", "ok"]

    # What the first one has in its files is not of now any more, and what runs at the other goes on.
    again = controller.submit(controller.app("again"), seconds="25")
    until(lambda: controller.lines(again), 60)
    controller.start("plays")
    one_outcome(controller, again, 1)
    controller.kill("other")
    late = controller.submit(controller.app("late"), seconds="2")
    assert controller.ended(late, 180) == "succeeded"
    assert set(controller.causes(late)[:-1]) <= {"node_lost"}
    until(lambda: alpha.orders() == [] and not alpha.processes())


def test_two_machines_share_the_jobs_and_each_ends_once(
    controller: Controller, alpha: FarMachine, beta: FarMachine
) -> None:
    register(controller, "alpha", alpha)
    register(controller, "beta", beta)
    version = controller.app()
    jobs = [controller.submit(version, seconds="1") for _ in range(6)]
    for job in jobs:
        one_outcome(controller, job, 1)
    assert {a.node for a in Attempt.select().where(Attempt.job.in_(jobs))} == {"alpha", "beta"}
    until(lambda: alpha.orders() == [] and beta.orders() == [])


def test_without_sudo_apps_run_as_the_user_who_signs_in_and_it_is_said(controller: Controller) -> None:
    with far_machine(sudo=False) as machine:
        machine.root = Path(f"/home/{machine.sshd.user}/far")
        play = controller.register("far", machine)
        assert play.state == "succeeded", controller.steps(play.id)
        assert "run only apps there that you trust" in controller.steps(play.id)
        assert Node.get(Node.name == "far").machine["as_root"] is False
        job = controller.submit(controller.app(), seconds="1")
        one_outcome(controller, job, 1)
        user = Path(f"/home/{machine.sshd.user}").stat().st_uid
        assert controller.lines(job)[0] == f"begun as {user}"


def test_a_machine_that_boots_systemd_is_switched_off_and_on(
    controller: Controller, beta: FarMachine, tmp_path: Path
) -> None:
    machine = BootedMachine("skerry-dispatch-booted", tmp_path)
    try:
        play = controller.register("booted", machine)
        assert play.state == "succeeded", controller.steps(play.id)
        first = controller.submit(controller.app(), seconds="1")
        one_outcome(controller, first, 1)
        job = controller.submit(controller.app("longer"), seconds="90")
        until(functools.partial(controller.lines, job), 60)
        # In a unit of its own, which no end of a login reaches.
        assert ".service" in machine.run("systemctl", "list-units", "--plain", "skerry-*")
        register(controller, "beta", beta)
        machine.reboot()
        one_outcome(controller, job, 2)
        assert controller.causes(job) == ["node_lost", "ok"]
        until(lambda: machine.run("ls", "/var/lib/skerry-dispatch/orders").strip() == "", 60)
        assert "skerry-" not in machine.run("systemctl", "list-units", "--plain", "--no-legend", "skerry-*")
        removed = controller.plays.begin(controller.account, "booted", REMOVE)
        assert controller.played(removed.id).state == "succeeded", controller.steps(removed.id)
        assert "No such file" in machine.run("ls", "/var/lib/skerry-dispatch")
        assert " skerry" not in machine.run("cat", "/home/edge/.ssh/authorized_keys")
    finally:
        machine.close()
