"""For tests of the agent: the controller's side of the conversation, and a runner that needs no processes."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from support.rabbitmq import PrivateRabbit

from node_scripts.agent import Agent
from node_scripts.running.interface import AttemptEnded, Ended, Prepared, Recovered, Refused, RunningAttempt
from node_scripts.settings import NodeSettings
from webfront.broker.admission import admit, dismiss
from webfront.broker.management import Management
from wire import topology
from wire.broker import Broker, BrokerAddress, Delivery
from wire.messages import (
    AppRef,
    Cause,
    Claimed,
    Event,
    Events,
    Finished,
    Heartbeat,
    LogLines,
    Message,
    Order,
    Resources,
    Started,
    decode,
    encode,
)

VERSION = "0" * 64


class Controller:
    """Admits a node, sends it orders, and keeps what it tells."""

    def __init__(self, rabbit: PrivateRabbit, directory: Path) -> None:
        self.rabbit = rabbit
        self.directory = directory
        self.node = f"t{secrets.token_hex(4)}"
        self.events: list[Event] = []
        self.heartbeats: list[Heartbeat] = []
        self.dead: list[bytes] = []
        self._listener = f"t.{self.node}"
        self._broker = Broker(
            BrokerAddress.read(rabbit.url, rabbit.password_file), name="test", on_connected=self._on_connected
        )

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[Controller]:
        """Admit the node and listen, then take both back."""
        api = Management(self.rabbit.admin_url, self.rabbit.user, self.rabbit.password, "/")
        password = secrets.token_urlsafe(24)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "broker-password").write_text(password)
        for name in ("apps", "inputs", "results"):
            (self.directory / "share" / name).mkdir(parents=True, exist_ok=True)
        admit(api, self.node, password)
        running = asyncio.create_task(self._broker.run())
        try:
            await until(lambda: self._broker.connected)
            await asyncio.sleep(0.1)
            yield self
        finally:
            await self._broker.stop()
            await running
            for queue in (self._listener, f"{self._listener}.dead"):
                api.delete("queues", api.vhost, queue)
            dismiss(api, self.node)

    def environment(self, **more: str) -> dict[str, str]:
        """The agent's settings."""
        return {
            "SKERRY_NODE_ID": self.node,
            "SKERRY_NODE_STATE_DIR": str(self.directory / "state"),
            "SKERRY_SHARE_DIR": str(self.directory / "share"),
            "SKERRY_BROKER_URL": f"amqp://node-{self.node}@127.0.0.1:{self.rabbit.port}/",
            "SKERRY_BROKER_PASSWORD_FILE": str(self.directory / "broker-password"),
            "SKERRY_HEARTBEAT_S": "0.5",
            **more,
        }

    def settings(self, **more: str) -> NodeSettings:
        return NodeSettings.from_environment(self.environment(**more))

    async def send(self, *orders: Order) -> None:
        """Publish orders as the scheduler does."""
        await asyncio.gather(*(self.publish(topology.JOBS, encode(order)) for order in orders))

    async def control(self, message: Message) -> None:
        await self.publish(topology.CONTROL, encode(message))

    async def publish(self, exchange: str, body: bytes) -> None:
        await self._broker.publish(exchange, self.node, body, mandatory=True)

    def of(self, job: str) -> list[Event]:
        """This job's events, in the order they came."""
        return [event for event in self.events if event.job == job]

    def log_of(self, job: str) -> list[str]:
        """This job's log, put together by number; a missing line is a KeyError."""
        lines = self.lines_of(job)
        return [lines[number] for number in range(1, len(lines) + 1)]

    def lines_of(self, job: str) -> dict[int, str]:
        """This job's log by numbers; those that were dropped are missing."""
        lines: dict[int, str] = {}
        for event in self.of(job):
            if isinstance(event, LogLines):
                if event.anew:
                    lines = {number: line for number, line in lines.items() if number < event.first}
                lines.update(enumerate(event.lines, event.first))
        return lines

    def ends(self) -> dict[str, list[Finished]]:
        """All `Finished` events by job."""
        ends: dict[str, list[Finished]] = collections.defaultdict(list)
        for event in self.events:
            if isinstance(event, Finished):
                ends[event.job].append(event)
        return ends

    def started(self, job: str) -> bool:
        return any(isinstance(event, Started) for event in self.of(job))

    def claimed(self, job: str) -> bool:
        return any(isinstance(event, Claimed) for event in self.of(job))

    async def _on_connected(self) -> None:
        for suffix, exchanges in (("", (topology.EVENTS, topology.HEARTBEATS)), (".dead", (topology.DEAD,))):
            queue = self._listener + suffix
            await self._broker.declare_queue(queue, arguments={"x-queue-type": "quorum"})
            for exchange in exchanges:
                await self._broker.bind_queue(queue, exchange, "")
        await self._broker.consume(self._listener, self._on_delivery, prefetch=1000)
        await self._broker.consume(f"{self._listener}.dead", self._on_dead, prefetch=1000)

    def _on_delivery(self, delivery: Delivery) -> None:
        self._broker.ack(delivery)
        if delivery.user_id != topology.node_user(self.node):
            return
        match decode(delivery.body):
            case Events(events=events):
                self.events += events
            case Heartbeat() as heartbeat:
                self.heartbeats.append(heartbeat)

    def _on_dead(self, delivery: Delivery) -> None:
        self._broker.ack(delivery)
        self.dead.append(delivery.body)


_numbers = itertools.count(1)


def order(job: str = "", *, attempt: int = 1, timeout_s: float = 60, **parameters: str) -> Order:
    """An order; `parameters` tell `InProcessRunner` what to do."""
    return Order(
        job=job or f"job{next(_numbers)}",
        attempt=attempt,
        app=AppRef(name="test", version=VERSION),
        resources=Resources(timeout_s=timeout_s),
        parameters=parameters,
    )


class _PreparedOrder(Prepared):
    def __init__(self, order: Order) -> None:
        self.order = order


class _Running:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.job, self.attempt = order.job, order.attempt
        self.lines = [f"line {n}" for n in range(1, int(order.parameters.get("lines", "0")) + 1)]
        self.gone = asyncio.Event()
        self.cause = Cause.OK
        self.failures = int(order.parameters.get("unstorable", "0"))
        seconds = float(order.parameters.get("seconds", "0"))
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.gone.set)
        else:
            self.gone.set()

    async def wait(self) -> None:
        await self.gone.wait()

    def cancel(self) -> None:
        if not self.gone.is_set():
            self.cause = Cause.CANCELLED
            self.gone.set()

    def read_log(self, after: int, limit: int = 500) -> list[str]:
        return self.lines[after : after + limit]

    def pass_over(self, after: int) -> bool:
        return False

    def dropped_after(self, number: int) -> int:
        return 0

    def live_log(self) -> None:
        return None

    @property
    def never_ran(self) -> bool:
        return False

    async def finish(self) -> Ended:
        if self.failures:
            self.failures -= 1
            raise OSError("stale file handle")
        return Ended(self.cause, log_lines=len(self.lines))

    def discard(self) -> None:
        pass


class InProcessRunner:
    """Each attempt lasts `seconds` and says `lines`. Like keepers, it outlives the agents that use it."""

    def __init__(self) -> None:
        self.launched: dict[tuple[str, int], _Running] = {}
        self.launches: collections.Counter[tuple[str, int]] = collections.Counter()
        self.slots: list[int] = []
        self.forgotten: list[str] = []
        self.refused: tuple[Refused, ...] = ()
        """What the machine cannot do; then it rejects what it is given."""

    async def prepare(self, order: Order, slot: int, preparing: Callable[[str], None]) -> Prepared:
        if seconds := float(order.parameters.get("prepare", "0")):
            preparing("getting ready")
            await asyncio.sleep(seconds)
        if self.refused:
            raise AttemptEnded(Ended(Cause.REJECTED, "the node could not prepare it"))
        if "refuse" in order.parameters:
            raise AttemptEnded(Ended(Cause.APP_ERROR, order.parameters["refuse"]))
        self.slots.append(slot)
        return _PreparedOrder(order)

    async def launch(self, prepared: Prepared) -> RunningAttempt:
        assert isinstance(prepared, _PreparedOrder)
        key = (prepared.order.job, prepared.order.attempt)
        self.launches[key] += 1
        self.launched[key] = running = _Running(prepared.order)
        return running

    def recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        return self.launched.get((order.job, order.attempt), Recovered.NOT_LAUNCHED)

    def clear(self, held: Iterable[Order]) -> None:
        pass

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        return self.refused

    def tidy(self) -> None:
        pass

    def forget(self, order: Order) -> None:
        self.forgotten.append(order.job)


@contextlib.asynccontextmanager
async def agent_running(settings: NodeSettings, runner: InProcessRunner) -> AsyncIterator[Agent]:
    agent = Agent(settings, runner)
    running = asyncio.create_task(agent.run())
    try:
        yield agent
        agent.stop()
        await asyncio.wait_for(running, 10)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until(condition: Callable[[], object], timeout: float = 30) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)
