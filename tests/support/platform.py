"""For tests of the scheduler: the process itself, jobs as the web front writes them, and nodes that follow a script."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
import urllib.error
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.broker.admission import admit, dismiss
from webfront.broker.management import Management
from webfront.broker.topology import platform_queues
from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion, Job, Node, User
from webfront.fleet.admissions import forget_admission
from webfront.jobs.identifiers import Ulids
from webfront.jobs.logs import printed_lines
from wire import topology
from wire.broker import Broker, BrokerAddress, Delivery
from wire.messages import (
    Cancel,
    Cause,
    Claimed,
    Event,
    Events,
    Finished,
    Heartbeat,
    HeldAttempt,
    LogLines,
    Message,
    Metrics,
    Order,
    Started,
    Submitted,
    decode,
    encode,
)

PROJECT = Path(__file__).resolve().parent.parent.parent
IDLE = Metrics(
    cpu_count=4,
    free_cpu_percent=90.0,
    memory_gb=16.0,
    free_memory_gb=12.0,
    free_memory_percent=75.0,
    events_per_second=5000.0,
)


class Platform:
    """A scheduler process on a database and a broker of its own, and the web front's side of both."""

    def __init__(self, rabbit: PrivateRabbit, store: Store, directory: Path) -> None:
        self.rabbit = rabbit
        self.store = store
        self.directory = directory
        self.scheduler = [sys.executable, "-m"]
        """What runs a scheduler, but for its own words."""
        self.schedulers: list[subprocess.Popen[bytes]] = []
        self.api = Management(rabbit.admin_url, rabbit.user, rabbit.password, "/")
        self.broker = Broker(BrokerAddress.read(rabbit.url, rabbit.password_file), name="test's web front")
        self._ulids = Ulids()
        # What other tests left in the platform's queues is not about this database.
        for queue in platform_queues(cluster=False):
            with contextlib.suppress(urllib.error.HTTPError):
                self.api.delete("queues", "/", queue.name)
        self.user = User.create(name="ada", password_hash="-", created_at=time.time())

    def environment(self, **more: str) -> dict[str, str]:
        (self.directory / "share").mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "SKERRY_STATE_DIR": str(self.directory),
            "SKERRY_SHARE_DIR": str(self.directory / "share"),
            "SKERRY_BROKER_URL": self.rabbit.url,
            "SKERRY_BROKER_PASSWORD_FILE": str(self.rabbit.password_file),
            "SKERRY_BROKER_ADMIN_URL": self.rabbit.admin_url,
            "SKERRY_HEARTBEAT_SUSPECT_S": "2",
            "SKERRY_HEARTBEAT_DEAD_S": "4",
            **self.store.environment,
            **more,
        }

    def start_scheduler(self, **more: str) -> subprocess.Popen[bytes]:
        with (self.directory / "scheduler.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.scheduler, "webfront", "scheduler"], env=self.environment(**more), stdout=log, stderr=log
            )
        self.schedulers.append(process)
        return process

    def log(self) -> str:
        return (self.directory / "scheduler.log").read_text()

    @contextlib.asynccontextmanager
    async def working(self, **more: str) -> AsyncIterator[Platform]:
        """With one scheduler and the connection of a web front."""
        running = asyncio.create_task(self.broker.run())
        self.start_scheduler(**more)
        try:
            await until(lambda: self.broker.connected)
            await until(lambda: "leading, as epoch" in self.log())
            yield self
        finally:
            for process in self.schedulers:
                process.kill()
                process.wait()
            await self.broker.stop()
            await running

    def app(self, name: str = "noop", **manifest: object) -> AppVersion:
        app = App.create(name=name, owner=self.user, created_at=time.time())
        return AppVersion.create(
            app=app, hash=secrets.token_hex(32), manifest={"name": name, **manifest}, size=1, uploaded_at=time.time()
        )

    def node(self, name: str, *, slots: int = 2, **fields: object) -> None:
        Node.create(
            name=name,
            state="registering",
            connection="local",
            address="",
            slots=slots,
            created_at=time.time(),
            **fields,
        )

    def submit(self, version: AppVersion, count: int = 1, *, hint: bool = True) -> list[str]:
        """Job rows and their hints, as the web front makes them."""
        ids = [self._ulids.next() for _ in range(count)]
        with transaction():
            for job in ids:
                Job.insert(
                    id=job, app_version=version, user=self.user, state="queued", submitted_at=time.time()
                ).execute()
        if hint:
            for job in ids:
                self.broker.publish(topology.SUBMITTED, "", encode(Submitted(job=job)))
        return ids

    def states(self, jobs: list[str]) -> dict[str, int]:
        """How many of these jobs are in each state."""
        found: dict[str, int] = {}
        for job in Job.select(Job.state).where(Job.id.in_(jobs)):
            found[job.state] = found.get(job.state, 0) + 1
        return found

    def log_of(self, job: str) -> list[str]:
        """The lines that have come of its newest attempt's log."""
        number = Job.get_by_id(job).attempts
        return [line.text for line in printed_lines(self.directory / "share", job, number)]


class ScriptedNode:
    """A node that speaks the wire protocol and does what the test says. By default it runs each order at once."""

    def __init__(self, platform: Platform, name: str, *, metrics: Metrics = IDLE, answers: bool = True) -> None:
        self.name = name
        self.metrics = metrics
        self.answers = answers
        self.beats = True
        self.orders: list[Order] = []
        self.cancels: list[Cancel] = []
        self.held: set[HeldAttempt] = set()
        self.cause = Cause.OK
        self._platform = platform
        password_file = platform.directory / f"{name}.password"
        password_file.write_text(secrets.token_urlsafe(24))
        admit(platform.api, name, password_file.read_text())
        self.broker = Broker(
            BrokerAddress.read(f"amqp://node-{name}@127.0.0.1:{platform.rabbit.port}/", password_file),
            name=name,
            on_connected=self._on_connected,
        )

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[ScriptedNode]:
        tasks = [asyncio.create_task(self.broker.run()), asyncio.create_task(self._beat())]
        try:
            await until(lambda: Node.get(Node.name == self.name).state == "active")
            yield self
        finally:
            tasks[1].cancel()
            await self.broker.stop()
            await tasks[0]
            forget_admission(self.name)
            dismiss(self._platform.api, self.name)

    async def _on_connected(self) -> None:
        await self.broker.consume(topology.control_queue(self.name), self._on_control, prefetch=100)
        await self.broker.consume(topology.jobs_queue(self.name), self._on_order, prefetch=100)
        self.beat()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.3)
            if self.beats:
                self.beat()

    def beat(self) -> None:
        heartbeat = Heartbeat(
            at=time.time(), metrics=self.metrics, held=tuple(self.held), slots=64, agent_version="t", arch="x86_64"
        )
        self.broker.publish_unconfirmed(topology.HEARTBEATS, "", encode(heartbeat))

    def _on_control(self, delivery: Delivery) -> None:
        message = decode(delivery.body)
        assert isinstance(message, Cancel)
        self.cancels.append(message)
        self.broker.ack(delivery)

    def _on_order(self, delivery: Delivery) -> None:
        order = decode(delivery.body)
        assert isinstance(order, Order)
        self.broker.ack(delivery)
        if order in self.orders:
            return
        self.orders.append(order)
        self.held.add(HeldAttempt(order.job, order.attempt))
        if self.answers:
            self.say(*self.claimed(order), *self.run(order))
            self.held.discard(HeldAttempt(order.job, order.attempt))

    def claimed(self, order: Order) -> list[Event]:
        return [Claimed(order.job, order.attempt, time.time()), Started(order.job, order.attempt, time.time())]

    def run(self, order: Order, lines: int = 3) -> list[Event]:
        text = tuple(f"line {n} of {order.job}" for n in range(1, lines + 1))
        return [
            LogLines(order.job, order.attempt, time.time(), 1, text),
            Finished(order.job, order.attempt, time.time(), self.cause, exit_code=0, log_lines=lines),
        ]

    def say(self, *events: Event) -> asyncio.Future[None]:
        return self.send(Events(events=events))

    def send(self, message: Message) -> asyncio.Future[None]:
        return self.broker.publish(topology.EVENTS, "", encode(message))


async def until(condition: Callable[[], object], timeout: float = 20) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.02)


def passable(broker: PrivateRabbit, store: Store, folder: Path) -> Platform:
    """A platform whose slots' users may pass through to their attempts' folders, as on a node's own state directory."""
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)
    for name in ("apps", "inputs", "results"):
        (folder / "share" / name).mkdir(parents=True)
    return Platform(broker, store, folder)
