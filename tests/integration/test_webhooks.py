"""Jobs' ends told by the real scheduler to a real receiver, and the scheduler killed at every point of the way.

The jobs end by being cancelled, which needs no node. "Lost" would be a job whose end no delivery told of.
"""

from __future__ import annotations

import asyncio
import collections
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from support.platform import Platform, until
from support.rabbitmq import PrivateRabbit
from support.receiver import Received, Receiver, answering, closed_port, receiver
from support.stores import Store

from webfront.accounts.users import account_of
from webfront.database.models import AppVersion, Chore, Delivery
from webfront.jobs.lifecycle import request_cancel
from webfront.secretbox import SecretBox
from webfront.settings import Settings
from webfront.webhooks.service import WebhookService
from webfront.webhooks.signing import signed_headers
from wire.settings import Networks

LEAVE = {"SKERRY_WEBHOOK_NETWORKS": "127.0.0.1"}


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    made = Platform(broker, store, tmp_path)
    (tmp_path / "secrets.key").write_bytes(Fernet.generate_key())
    (tmp_path / "secrets.key").chmod(0o600)
    return made


@pytest.fixture
def version(platform: Platform) -> AppVersion:
    return platform.app()


@pytest.fixture
def target() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def webhooks(platform: Platform) -> WebhookService:
    networks: Networks = Settings.from_environment(platform.environment(**LEAVE)).webhook_networks
    return WebhookService(SecretBox(platform.directory / "secrets.key"), networks)


def end(platform: Platform, version: AppVersion, count: int = 1) -> list[str]:
    jobs = platform.submit(version, count, hint=False)
    for job in jobs:
        assert request_cancel(job, time.time())
    return jobs


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def told(target: Receiver) -> dict[str, set[str]]:
    """The jobs whose end arrived, each with the ids of the deliveries that told of it."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for one in target.received:
        found[json.loads(one.body)["job"]["id"]].add(one.delivery)
    return found


def states() -> collections.Counter[str]:
    return collections.Counter(row.state for row in Delivery.select(Delivery.state))


def test_an_end_is_told_within_seconds_and_signed(
    platform: Platform, version: AppVersion, webhooks: WebhookService, target: Receiver
) -> None:
    async def scenario() -> None:
        made = webhooks.create(account_of(platform.user), target.url())
        async with platform.working(**LEAVE):
            (job,) = end(platform, version)
            await until(lambda: target.received, timeout=10)
            await until(lambda: states() == {"delivered": 1})
            (received,) = target.received
            assert json.loads(received.body)["job"]["state"] == "cancelled"
            assert json.loads(received.body)["job"]["id"] == job
            at = float(received.headers["skerry-timestamp"])
            signed = signed_headers(made.key, received.delivery, received.body, at)
            assert received.headers["skerry-signature"] == signed["Skerry-Signature"]
            await until(lambda: Chore.select().where(Chore.name == "deliveries", Chore.error == "").exists())

    asyncio.run(scenario())


def test_killed_before_the_post_during_it_and_after_it_nothing_is_lost(
    platform: Platform, version: AppVersion, webhooks: WebhookService, target: Receiver
) -> None:
    async def scenario() -> None:
        account = account_of(platform.user)
        webhooks.create(account, target.url())
        async with platform.working(**LEAVE):
            # Between the commit of the end and its being read.
            kill(platform.schedulers[-1])
            unread = end(platform, version, 3)
            platform.start_scheduler(**LEAVE)
            await until(lambda: states() == {"delivered": 3})

            # Between the commit of the delivery and its POST: what is due is committed, and the next second kills.
            target.answer = answering(204)
            before = end(platform, version, 3)
            await until(lambda: Delivery.select().count() == 6)
            kill(platform.schedulers[-1])
            platform.start_scheduler(**LEAVE)
            await until(lambda: states() == {"delivered": 6}, timeout=40)

            # After the POST, before the answer; and after the answer, before it is recorded.
            for answers in (False, True):
                killed: list[str] = []

                def kills(received: Received, handler: object, answers: bool = answers, killed: list = killed) -> None:  # type: ignore[type-arg]
                    if answers:
                        answering(204)(received, handler)  # type: ignore[arg-type]
                    if not killed:
                        killed.append(received.delivery)
                        kill(platform.schedulers[-1])

                target.answer = kills
                jobs = end(platform, version, 1)
                await until(lambda killed=killed: killed)  # type: ignore[misc]
                target.answer = answering(204)
                platform.start_scheduler(**LEAVE)
                await until(lambda: set(states()) == {"delivered"}, timeout=40)
                assert told(target)[jobs[0]] == {killed[0]}
                before += jobs
            arrived = told(target)
            assert set(arrived) == {*unread, *before}
            assert all(len(ids) == 1 for ids in arrived.values())
            assert len(target.received) > len(arrived), "one that was answered after the death came twice"

    asyncio.run(scenario())


def test_killed_again_and_again_while_jobs_end_each_is_told(
    platform: Platform, version: AppVersion, webhooks: WebhookService, target: Receiver
) -> None:
    async def scenario() -> None:
        chance = random.Random(8)
        webhooks.create(account_of(platform.user), target.url())
        jobs = []
        async with platform.working(**LEAVE):
            for _ in range(6):
                jobs += end(platform, version, 15)
                await asyncio.sleep(chance.uniform(0.8, 2.2))
                kill(platform.schedulers[-1])
                platform.start_scheduler(**LEAVE)
            await until(lambda: states() == {"delivered": len(jobs)}, timeout=60)
        arrived = told(target)
        assert set(arrived) == set(jobs)
        assert all(len(ids) == 1 for ids in arrived.values())

    asyncio.run(scenario())


def test_a_target_that_is_gone_is_tried_rarely_and_holds_up_no_other(
    platform: Platform, version: AppVersion, webhooks: WebhookService, target: Receiver
) -> None:
    async def scenario() -> None:
        account = account_of(platform.user)
        gone = webhooks.create(account, f"http://127.0.0.1:{closed_port()}/").webhook.id
        webhooks.create(account, target.url())
        async with platform.working(**LEAVE):
            end(platform, version, 10)
            await until(lambda: len(target.received) == 10)
            await until(lambda: webhooks.get(account, gone).failing_since is not None)
            await until(lambda: states() == {"delivered": 10, "pending": 10})

            def errors() -> list[str]:
                return [one.error for one in webhooks.deliveries(account, gone) if one.tries]

            await until(lambda: set(errors()) == {"It could not be reached: Connection refused."})
            assert 1 <= len(errors()) <= 5

    asyncio.run(scenario())


def test_without_leave_nothing_goes_to_this_machine(
    platform: Platform, version: AppVersion, webhooks: WebhookService, target: Receiver
) -> None:
    """The network was allowed when the webhook was made, and is not any more."""

    async def scenario() -> None:
        account = account_of(platform.user)
        webhook = webhooks.create(account, target.url()).webhook.id
        async with platform.working():
            end(platform, version)
            await until(lambda: any(one.tries for one in webhooks.deliveries(account, webhook)))
            await until(lambda: "loopback" in webhooks.deliveries(account, webhook)[0].error)
        assert target.received == []

    asyncio.run(scenario())
