"""Nodes that can take no attempt, for no fault of any job's: real agents on real small disks, a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agents import APP, put_app, working_agent
from support.disks import fill, small_disk
from support.node import Controller, InProcessRunner, agent_running, order
from support.node import until as soon
from support.platform import Platform, passable, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from node_scripts.running.interface import Refused
from webfront.accounts.views import Account
from webfront.database.models import Attempt, Job, Node
from webfront.fleet.queries import get_node
from webfront.scheduling.explanation import Explanation, Situation
from webfront.scheduling.service import PlacementService
from webfront.settings import Settings
from wire.messages import Cause
from wire.refusals import Refusal

NODES = ("alpha", "beta")
BACK_WITHIN_S = 45.0
"""The pauses between a node's looks are 5, 10, 20 s."""


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    return passable(broker, store, tmp_path)


@pytest.fixture
def disks(platform: Platform) -> Iterator[None]:
    """Each node's state folder is on a disk of its own."""
    with contextlib.ExitStack() as stack:
        for name in NODES:
            stack.enter_context(small_disk(platform.directory / name, platform.directory / f"{name}.disk", mib=64))
            (platform.directory / name).chmod(0o755)
        yield


def explain(platform: Platform, job: str) -> Explanation:
    nowhere = Path("/nonexistent")
    service = PlacementService(Settings(nowhere, nowhere, "", nowhere, "", ""), lambda: platform.broker.connected)
    return service.explain(Account(id=platform.user.id, name="ada", is_admin=False), job)


def states() -> dict[str, str]:
    return {row.name: row.state for row in Node.select()}


def reason(name: str) -> str:
    return str(Node.get(Node.name == name).state_reason)


@pytest.mark.usefixtures("disks")
def test_six_jobs_wait_for_nodes_with_full_disks_and_run_when_there_is_room(platform: Platform) -> None:
    """The trial that failed them: 6 of 6 in 80 s, after four attempts each."""

    async def scenario() -> None:
        for name in NODES:
            platform.node(name, slots=2)
        version = put_app(platform, "ticks", {"main.py": APP}, outputs=["predictions.csv"], retries={"rejected": 0})
        async with platform.working():
            with working_agent(platform, name="alpha") as alpha, working_agent(platform, name="beta"):
                await until(lambda: set(states().values()) == {"active"}, 60)
                fillings = [fill(platform.directory / name) for name in NODES]
                jobs = platform.submit(version, 6)
                Job.update(parameters={"ticks": "1", "pause": "0"}).execute()
                await until(lambda: set(states().values()) == {"suspect"}, 60)
                for name in NODES:
                    assert reason(name).startswith("set aside: it has no space left on its disk"), reason(name)
                    assert get_node(name).refusals[0].kind == Refusal.NO_SPACE
                await until(lambda: platform.states(jobs) == {"queued": 6}, 60)
                await until(lambda: explain(platform, jobs[0]).situation is Situation.SET_ASIDE, 10)
                assert "alpha (it has no space left on its disk" in explain(platform, jobs[0]).sentence
                assert Attempt.select().where(Attempt.cause == "rejected", Attempt.refusal == "").count() == 0
                refused = Attempt.select().where(Attempt.refusal == "no_space").count()
                # Neither a new scheduler nor a new agent asks it again.
                platform.schedulers[0].kill()
                platform.schedulers[0].wait()
                alpha.send_signal(signal.SIGKILL)
                platform.start_scheduler()
                with working_agent(platform, name="alpha"):
                    await asyncio.sleep(10)
                    assert states() == dict.fromkeys(NODES, "suspect")
                    assert Attempt.select().where(Attempt.refusal == "no_space").count() == refused
                    fillings[0].unlink()
                    await until(lambda: platform.states(jobs) == {"succeeded": 6}, BACK_WITHIN_S + 60)
                    await until(lambda: states() == {"alpha": "active", "beta": "suspect"}, 10)
                    fillings[1].unlink()
                    await until(lambda: states()["beta"] == "active", BACK_WITHIN_S)

    asyncio.run(scenario())


FILLS = """
import sys
with open("filling", "wb", buffering=0) as file:
    while True:
        file.write(bytes(65536))
"""


@pytest.mark.usefixtures("disks")
@pytest.mark.parametrize(
    ("disk_mb", "cause"), [(5, "app_error"), (1000, "rejected")], ids=["its own share", "all there is"]
)
def test_an_app_that_fills_its_disk_sets_no_node_aside(platform: Platform, disk_mb: int, cause: str) -> None:
    """More than there is on any node is the job's matter, too: it costs its retries and not the node's work."""

    async def scenario() -> None:
        platform.node("alpha", slots=1)
        limits = {"resources": {"disk_mb": disk_mb}, "retries": {"rejected": 0}}
        fills = put_app(platform, "fills", {"main.py": FILLS}, outputs=[], **limits)
        async with platform.working():
            with working_agent(platform, name="alpha"):
                await until(lambda: states() == {"alpha": "active"}, 60)
                (job,) = platform.submit(fills)
                await until(lambda: Job.get_by_id(job).state == "failed", 60)
                assert (Job.get_by_id(job).cause, Attempt.get().refusal) == (cause, "")
                assert not get_node("alpha").refusals
                await until(lambda: states() == {"alpha": "active"}, 10)

    asyncio.run(scenario())


def test_a_share_that_is_away_and_comes_back(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=1)
        version = put_app(platform, "ticks", {"main.py": APP}, outputs=["predictions.csv"], retries={"rejected": 0})
        share, away = platform.directory / "share", platform.directory / "away"
        async with platform.working():
            with working_agent(platform, name="alpha"):
                await until(lambda: states() == {"alpha": "active"}, 60)
                (share / "apps").rename(away)
                (job,) = platform.submit(version)
                Job.update(parameters={"ticks": "1", "pause": "0"}).execute()
                await until(lambda: reason("alpha").startswith("set aside: it cannot use the share"), 60)
                assert states() == {"alpha": "suspect"}
                away.rename(share / "apps")
                await until(lambda: Job.get_by_id(job).state == "succeeded", BACK_WITHIN_S + 60)
                assert [one.refusal for one in Attempt.select().order_by(Attempt.number)] == ["no_share", ""]

    asyncio.run(scenario())


def test_an_agent_says_what_it_refuses_and_when_it_can_again(broker: PrivateRabbit, tmp_path: Path) -> None:
    async def scenario() -> None:
        runner = InProcessRunner()
        async with Controller(broker, tmp_path).working() as controller, agent_running(controller.settings(), runner):
            await soon(lambda: controller.heartbeats)
            assert not controller.heartbeats[-1].unable
            runner.refused = (Refused(Refusal.NO_SANDBOX, "fork: Resource temporarily unavailable"),)
            job = order()
            await controller.send(job)
            await soon(lambda: controller.ends()[job.job])
            (end,) = controller.ends()[job.job]
            assert (end.cause, end.refusal) == (Cause.REJECTED, "no_sandbox")
            words = "cannot make a sandbox for an app (fork: Resource temporarily unavailable)"
            assert end.message == f"the node {words}: the node could not prepare it"
            begun = time.monotonic()
            await soon(lambda: controller.heartbeats[-1].unable)
            assert controller.heartbeats[-1].unable[0].kind == "no_sandbox"
            runner.refused = ()
            await soon(lambda: not controller.heartbeats[-1].unable, 20)
            assert time.monotonic() - begun > 3, "a look at a time, not at each moment"

    asyncio.run(scenario())
