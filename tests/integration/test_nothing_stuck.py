"""No job stays for ever, whatever was lost: agent and scheduler as processes, a real broker, real apps."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.agents import AgentProcess
from support.node import Controller, InProcessRunner, agent_running, order
from support.platform import Platform, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.broker.admission import admit, admitted, dismiss, password_hashes
from webfront.database import models
from webfront.database.models import AppVersion, Attempt, Job, Node
from webfront.fleet.admissions import _let_in, forget_admission, keep_admitted
from webfront.jobs.lifecycle import request_cancel
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.placing import EXCLUSION_S
from webfront.scheduling.turn import CLAIM_OVERDUE_S
from webfront.settings import Settings
from wire import topology
from wire.messages import Cause, Claimed, Finished, Started

SCRIPT = """
import sys, time
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
time.sleep({seconds})
Path(given["--output"], "predictions.csv").write_text("y\\n4\\n")
"""
ANSWERED_S = CLAIM_OVERDUE_S + 25
"""An order is sent again after a while, and the tests' machine may be busy."""


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return Platform(broker, store, tmp_path)


def put_app(platform: Platform, name: str, *, seconds: float, **manifest: object) -> AppVersion:
    version = platform.app(name, **manifest)
    app = platform.directory / "share" / "apps" / version.hash
    app.mkdir()
    (app / "main.py").write_text(SCRIPT.replace("{seconds}", str(seconds)))
    return version


def ended_on_the_node(platform: Platform) -> int:
    """How many attempts the node holds no longer, since the broker has their ends."""
    path = platform.directory / "alpha" / "journal.sqlite"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as journal:
        (count,) = journal.execute("SELECT count(*) FROM ended").fetchone()
    return int(count)


def held_on_the_node(platform: Platform) -> set[tuple[str, int]]:
    with contextlib.closing(sqlite3.connect(platform.directory / "alpha" / "journal.sqlite")) as journal:
        return set(journal.execute("SELECT job, attempt FROM attempts"))


def is_ordered(*jobs: str) -> bool:
    found = list(Attempt.select().where(Attempt.job.in_(jobs)))
    return len(found) == len(jobs) and all(one.published_at for one in found)


def purge(platform: Platform) -> None:
    platform.rabbit.api(f"/api/queues/%2F/{topology.EVENTS}/contents", "DELETE")


def remove(platform: Platform) -> None:
    platform.rabbit.api(f"/api/queues/%2F/{topology.EVENTS}", "DELETE")


LOSSES = {"the event queue is purged": purge, "the event queue is made anew": remove}


@pytest.mark.stores("sqlite")
@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_node_had_told_of_is_asked_for_again_when_its_word_is_lost(
    platform: Platform, alpha: AgentProcess, loss: str
) -> None:
    async def scenario() -> None:
        short, long = put_app(platform, "short", seconds=0.1), put_app(platform, "long", seconds=60)
        async with platform.working(SKERRY_HEARTBEAT_SUSPECT_S="120", SKERRY_HEARTBEAT_DEAD_S="240"):
            agent = alpha.start()
            await until(lambda: Node.get(Node.name == "alpha").state == "active")
            agent.send_signal(signal.SIGSTOP)
            done, unwanted = platform.submit(short, 2)
            (running,) = platform.submit(long)
            await until(lambda: is_ordered(done, unwanted, running))
            platform.schedulers[-1].kill()
            platform.schedulers[-1].wait()
            agent.send_signal(signal.SIGCONT)
            await until(lambda: ended_on_the_node(platform) == 2, 60)
            LOSSES[loss](platform)
            request_cancel(unwanted, time.time())
            assert platform.states([done, unwanted, running]) == {"placed": 3}
            platform.start_scheduler(SKERRY_HEARTBEAT_SUSPECT_S="120", SKERRY_HEARTBEAT_DEAD_S="240")
            await until(lambda: platform.states([done]) == {"succeeded": 1}, ANSWERED_S)
            attempt = Attempt.get(Attempt.job == done)
            assert (attempt.number, attempt.cause, attempt.orders) == (1, "ok", 2)
            assert [one["name"] for one in attempt.outputs] == ["predictions.csv"]
            await until(lambda: Job.get_by_id(unwanted).finished_at is not None, ANSWERED_S)
            # It runs yet, as its node's heartbeats say.
            await until(lambda: Attempt.get(Attempt.job == running).state in ("claimed", "running"), ANSWERED_S)
            request_cancel(running, time.time())
            await until(lambda: platform.states([running]) == {"cancelled": 1})
            assert "Traceback" not in platform.log()

    asyncio.run(scenario())


@pytest.mark.stores("sqlite")
def test_after_a_database_restored_from_an_older_copy_every_job_ends(platform: Platform, alpha: AgentProcess) -> None:
    """Not by `restore`, which would begin anew: somebody has put an older file in the place of the database."""

    async def scenario() -> None:
        short, long = put_app(platform, "short", seconds=0.1), put_app(platform, "long", seconds=60)
        patient = {"SKERRY_HEARTBEAT_SUSPECT_S": "120", "SKERRY_HEARTBEAT_DEAD_S": "240"}
        async with platform.working(**patient):
            agent = alpha.start()
            await until(lambda: Node.get(Node.name == "alpha").state == "active")
            agent.send_signal(signal.SIGSTOP)
            jobs = platform.submit(short, 2)
            (running,) = platform.submit(long)
            await until(lambda: is_ordered(*jobs, running))
            copy = platform.directory / "copy.sqlite"
            with (
                contextlib.closing(sqlite3.connect(platform.store.url.removeprefix("sqlite:///"))) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
            agent.send_signal(signal.SIGCONT)
            await until(lambda: platform.states([*jobs, running]) == {"succeeded": 2, "running": 1}, 60)
            await until(lambda: ended_on_the_node(platform) == 2)
            platform.schedulers[-1].kill()
            platform.schedulers[-1].wait()
            models.database.close()
            with (
                contextlib.closing(sqlite3.connect(copy)) as source,
                contextlib.closing(sqlite3.connect(platform.store.url.removeprefix("sqlite:///"))) as target,
            ):
                source.backup(target)
            assert platform.states([*jobs, running]) == {"placed": 3}
            request_cancel(running, time.time())
            platform.start_scheduler(**patient)
            await until(lambda: platform.states([*jobs, running]) == {"succeeded": 2, "cancelled": 1}, ANSWERED_S)
            assert [one.orders for one in Attempt.select().where(Attempt.job.in_(jobs))] == [2, 2]

    asyncio.run(scenario())


def admin(platform: Platform, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "webfront.admin", *words]
    done = subprocess.run(command, env=platform.environment(), capture_output=True, text=True, check=True, timeout=120)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.stores("sqlite")
def test_after_a_restore_every_job_ends_and_what_the_copy_lacks_is_ended_on_its_node(
    platform: Platform, alpha: AgentProcess
) -> None:
    async def scenario() -> None:
        short, long = put_app(platform, "short", seconds=20), put_app(platform, "long", seconds=600)
        patient = {"SKERRY_HEARTBEAT_SUSPECT_S": "120", "SKERRY_HEARTBEAT_DEAD_S": "240"}
        async with platform.working(**patient):
            alpha.start()
            await until(lambda: Node.get(Node.name == "alpha").state == "active")
            (known,) = platform.submit(short)
            await until(lambda: platform.states([known]) == {"running": 1}, 60)
            (platform.directory / "copy").mkdir()
            admin(platform, "backup", str(platform.directory / "copy"))
            (unknown,) = platform.submit(long)
            (platform.directory / "share" / "inputs" / unknown).mkdir()
            await until(lambda: platform.states([unknown]) == {"running": 1}, 60)
            platform.schedulers[-1].kill()
            platform.schedulers[-1].wait()
            models.database.close()
            admin(platform, "restore", str(platform.directory / "copy"), "--overwrite")
            platform.start_scheduler(**patient)
            await until(lambda: held_on_the_node(platform).isdisjoint([(unknown, 1), (known, 1)]), 60)
            assert not Job.select().where(Job.id == unknown).exists()
            said = [line for line in admin(platform, "inspect")["missing"] if "accepted after the copy" in line]
            assert [unknown in line for line in said] == [True]
            # Its only node has lost an attempt of it, which it is tried on again after a while.
            await until(lambda: platform.states([known]) == {"succeeded": 1}, EXCLUSION_S + 90)
            numbers = [one.number for one in Attempt.select().where(Attempt.job == known).order_by(Attempt.number)]
            assert numbers[0] > 10
            assert numbers[1:] == [numbers[0] + 1]

    asyncio.run(scenario())


@pytest.mark.stores("sqlite")
def test_a_broker_that_has_lost_its_data_is_told_of_every_node_again(platform: Platform, alpha: AgentProcess) -> None:
    async def scenario() -> None:
        short = put_app(platform, "short", seconds=0.1)
        async with platform.working(SKERRY_HEARTBEAT_SUSPECT_S="120", SKERRY_HEARTBEAT_DEAD_S="240"):
            alpha.start()
            await until(lambda: Node.get(Node.name == "alpha").state == "active")
            await until(lambda: Node.get(Node.name == "alpha").broker_hash, 60)
            platform.rabbit.kill()
            shutil.rmtree(platform.rabbit.directory / "mnesia")
            await asyncio.to_thread(platform.rabbit.start)
            assert platform.api.get("users", "node-alpha") is None
            (job,) = platform.submit(short)
            await until(lambda: platform.states([job]) == {"succeeded": 1}, 90)
            assert Attempt.select().where(Attempt.job == job).count() == 1
            assert admitted(platform.api) == {"alpha"}

    asyncio.run(scenario())


@pytest.mark.stores("sqlite")
def test_a_node_that_is_dismissed_stays_out(platform: Platform) -> None:
    api, password = platform.api, secrets.token_urlsafe(24)
    platform.node("alpha")
    Node.update(state="active").execute()
    admit(api, "alpha", password)
    settings = Settings.from_environment(platform.environment())
    keep = functools.partial(keep_admitted, Leadership("test").take_over(time.time()), settings=settings)
    assert keep() == ""
    known = Node.get().broker_hash
    assert known == password_hashes(api)["alpha"]
    api.delete("users", "node-alpha")
    api.delete("queues", "/", topology.jobs_queue("alpha"))
    assert keep() == "the broker had lost alpha: let in again"
    assert admit(api, "alpha", password) is False, "all of it is as it was, the password too"
    forget_admission("alpha")
    dismiss(api, "alpha")
    assert keep() == ""
    assert not _let_in(api, "alpha", known), "the chore had read the hash before it was forgotten"
    assert api.get("users", "node-alpha") is None


def lose_blocks(journal: Path) -> None:
    # What it holds may be in its log of writes yet, all of it.
    with contextlib.closing(sqlite3.connect(journal)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with journal.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(journal.stat().st_size - 4096))


@pytest.mark.stores("sqlite")
@pytest.mark.parametrize("moment", ["between two lives of the agent", "while the agent works"])
def test_a_damaged_journal_is_set_aside_and_its_jobs_end(platform: Platform, alpha: AgentProcess, moment: str) -> None:
    async def scenario() -> None:
        long = put_app(platform, "long", seconds=4)
        journal = platform.directory / "alpha" / "journal.sqlite"
        async with platform.working(SKERRY_HEARTBEAT_SUSPECT_S="30", SKERRY_HEARTBEAT_DEAD_S="60"):
            process = alpha.start()
            await until(lambda: Node.get(Node.name == "alpha").state == "active")
            (job,) = platform.submit(long)
            await until(lambda: platform.states([job]) == {"running": 1}, 60)
            if moment == "while the agent works":
                lose_blocks(journal)
                # It ends by itself, for its process manager to start it anew.
                more = platform.submit(put_app(platform, "more", seconds=0.1), 2)
                await until(lambda: process.poll() is not None, 60)
            else:
                alpha.signal(signal.SIGKILL)
                lose_blocks(journal)
                more = []
            alpha.start()
            await until(lambda: platform.states([job, *more]) == {"succeeded": 1 + len(more)}, EXCLUSION_S + 60)
            assert [one.cause for one in Attempt.select().where(Attempt.job == job)][-1] == "ok"
            assert len(list(journal.parent.glob("journal.sqlite.unreadable-*"))) == 1
            assert "the journal is damaged" in alpha.log.read_text()

    asyncio.run(scenario())


@pytest.mark.parametrize("known", ["its end is kept", "a release before kept none", "it runs"])
def test_an_order_that_comes_once_more_is_answered(broker: PrivateRabbit, tmp_path: Path, known: str) -> None:
    async def scenario() -> None:
        runner = InProcessRunner()
        async with Controller(broker, tmp_path).working() as controller:
            settings = controller.settings()
            one = order(seconds="60" if known == "it runs" else "0", lines="2")
            over: Callable[[], object] = (
                (lambda: controller.started(one.job)) if known == "it runs" else (lambda: controller.ends()[one.job])
            )
            async with agent_running(settings, runner):
                await controller.send(one)
                await until(over)
                if known != "it runs":
                    await until(lambda: controller.heartbeats[-1].held == ())
            before = controller.of(one.job)
            if known == "a release before kept none":
                with contextlib.closing(sqlite3.connect(settings.state_dir / "journal.sqlite")) as journal:
                    journal.execute("UPDATE ended SET finished = NULL")
                    journal.commit()
            async with agent_running(settings, runner):
                await until(lambda: len(controller.heartbeats) > 1)
                await asyncio.sleep(0.5)
                controller.events.clear()
                await controller.send(one)
                await until(lambda: controller.of(one.job))
                answer = controller.of(one.job)
            if known == "it runs":
                told = [event for event in before if isinstance(event, Claimed | Started)]
                assert answer[:2] == told[:2]
            elif known == "its end is kept":
                assert answer == before[-1:]
            else:
                (end,) = answer
                assert isinstance(end, Finished)
                assert (end.cause, end.message.split(":")[0]) == (Cause.NODE_LOST, "it is gone")
            assert set(runner.launches.values()) == {1}

    asyncio.run(scenario())
