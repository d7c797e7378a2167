"""The machines: the apps that run on them, the runner through which the agent's core reaches them, and the disk.

An app ends as its fate says, whether or not an agent is there to see it; a machine that loses its power takes its apps
along. What the runner has told of ends is kept, for the checker to compare.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import Final

from node_scripts.journal import Key
from node_scripts.running.interface import AttemptEnded, Ended, Prepared, Recovered, Refused, RunningAttempt, Telling
from node_scripts.writing import Request, Write
from wire.messages import Cause, Metrics, Order
from wire.refusals import Refusal

from .loop import Loop, Timeline

METRICS: Final = Metrics(
    cpu_count=4, free_cpu_percent=90, memory_gb=8, free_memory_gb=6, free_memory_percent=75, free_disk_gb=50
)
_UNHURRIED_S: Final = 1.0
_DYING_S: Final = 0.05


@dataclasses.dataclass(frozen=True)
class Fate:
    """What becomes of one attempt if nobody interferes."""

    cause: Cause = Cause.OK
    seconds: float = 1.0
    lines: int = 0
    prepare_s: float = 0.0
    refused: bool = False
    """It ends while it is prepared, with `cause`."""
    unstorable: int = 0
    """How often its results cannot be stored before they can."""


class App:
    """An app that was launched."""

    def __init__(self, machine: Machine, key: Key, slot: int, fate: Fate) -> None:
        self.key, self.slot, self.fate = key, slot, fate
        self.cause: Cause | None = None
        """How it ended; None while it runs."""
        self.lost = False
        """It went down with its machine, and nothing says how it ended."""
        self.unstorable = fate.unstorable
        self._machine = machine
        self._begun = machine.timeline.now
        self._waiting: list[tuple[Loop, asyncio.Future[None]]] = []
        machine.timeline.after(fate.seconds, lambda: self.end(fate.cause))

    @property
    def runs(self) -> bool:
        return self.cause is None and not self.lost

    def end(self, cause: Cause) -> None:
        if not self.runs:
            return
        self.cause = cause
        for loop, future in self._waiting:
            loop.call_soon(_resolve, future)
        self._waiting.clear()

    def ended(self, loop: Loop) -> asyncio.Future[None]:
        future = loop.create_future()
        if self.runs:
            self._waiting.append((loop, future))
        else:
            future.set_result(None)
        return future

    def written(self) -> int:
        """How many lines its log has by now."""
        if not self.runs:
            return self.fate.lines
        return int(self.fate.lines * (self._machine.timeline.now - self._begun) / max(self.fate.seconds, 0.001))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Machine:
    """One machine: its apps by attempt, and what was told of their ends. It outlives its agents."""

    def __init__(self, name: str, timeline: Timeline, fate_of: Callable[[Key], Fate], found: list[str]) -> None:
        self.name = name
        self.timeline = timeline
        self.fate_of = fate_of
        self.apps: dict[Key, App] = {}
        self.unknown: list[App] = []
        """Apps that run on after the journal that knew of them was lost."""
        self.told: dict[Key, list[Ended]] = collections.defaultdict(list)
        self.is_full = False
        """It has no room for an attempt, whatever the attempt."""
        self._found = found

    def launch(self, order: Order, slot: int) -> App:
        key = (order.job, order.attempt)
        for other in self.apps.values():
            if other.runs and other.slot == slot:
                self._found.append(f"{self.name} runs {key} in slot {slot} beside {other.key}")
        if (earlier := self.apps.get(key)) is not None and not earlier.lost:
            self._found.append(f"{self.name} launched {key} twice")
        self.apps[key] = app = App(self, key, slot, self.fate_of(key))
        return app

    def power_off(self) -> None:
        for app in [*self.apps.values(), *self.unknown]:
            if app.runs:
                app.lost = True

    def cancel(self, app: App) -> None:
        self.timeline.after(_DYING_S, lambda: app.end(Cause.CANCELLED))


class _PreparedOrder(Prepared):
    def __init__(self, order: Order, slot: int) -> None:
        self.order, self.slot = order, slot


class _Running:
    """An app, as one agent sees it."""

    def __init__(self, runner: MachineRunner, app: App) -> None:
        self.job, self.attempt = app.key
        self.app = app
        self._runner = runner

    async def wait(self) -> None:
        await self.app.ended(self._runner.loop)

    def cancel(self) -> None:
        if self._runner.alive():
            self._runner.machine.cancel(self.app)

    def read_log(self, after: int, limit: int = 500) -> list[str]:
        return [f"{self.job} {number}" for number in range(after + 1, min(self.app.written(), after + limit) + 1)]

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
        if self.app.unstorable:
            self.app.unstorable -= 1
            raise OSError("stale file handle")
        cause = self.app.cause
        assert cause is not None, "asked for the end of an app that runs"
        ended = Ended(cause, log_lines=self.app.fate.lines, exit_code=0 if cause is Cause.OK else 1)
        if self._runner.alive():
            self._runner.machine.told[self.app.key].append(ended)
        return ended

    def discard(self) -> None:
        if self._runner.alive():
            self._runner.machine.apps.pop(self.app.key, None)


class MachineRunner:
    """The `Runner` of one start of an agent."""

    def __init__(self, machine: Machine, loop: Loop, alive: Callable[[], bool]) -> None:
        self.machine = machine
        self.loop = loop
        self.alive = alive

    async def prepare(self, order: Order, slot: int, preparing: Telling) -> Prepared:
        key = (order.job, order.attempt)
        fate = self.machine.fate_of(key)
        if self.alive():
            # What an earlier start left of it, or in its slot, is replaced.
            for app in [*self.machine.apps.values(), *self.machine.unknown]:
                if app.runs and (app.key == key or (app.slot == slot and app in self.machine.unknown)):
                    app.end(Cause.CANCELLED)
            self.machine.apps.pop(key, None)
        if fate.prepare_s:
            preparing("getting ready")
            await asyncio.sleep(fate.prepare_s)
        if self.machine.is_full:
            raise AttemptEnded(Ended(Cause.REJECTED, "the node could not prepare it"))
        if fate.refused:
            ended = Ended(fate.cause, "its requirements cannot be installed")
            if self.alive():
                self.machine.told[key].append(ended)
            raise AttemptEnded(ended)
        return _PreparedOrder(order, slot)

    async def launch(self, prepared: Prepared) -> RunningAttempt:
        assert isinstance(prepared, _PreparedOrder)
        await asyncio.sleep(self.machine.timeline.rng.random() * 0.01)
        assert self.alive()  # else nobody would have come here
        return _Running(self, self.machine.launch(prepared.order, prepared.slot))

    def recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        app = self.machine.apps.get((order.job, order.attempt))
        if app is None:
            return Recovered.NOT_LAUNCHED
        return Recovered.LOST if app.lost else _Running(self, app)

    def clear(self, held: Iterable[Order]) -> None:
        known = {(order.job, order.attempt) for order in held}
        for key in [key for key in self.machine.apps if key not in known]:
            app = self.machine.apps.pop(key)
            if app.runs:
                self.machine.unknown.append(app)

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        return (Refused(Refusal.NO_SPACE, "0 MB are free"),) if self.machine.is_full else ()

    def tidy(self) -> None:
        pass  # nothing here takes up room

    def forget(self, order: Order) -> None:
        if self.alive():
            self.machine.apps.pop((order.job, order.attempt), None)


class HereAndNow:
    """What the agent's core asks of a machine in place of this one: figures that never change."""

    arch = "x86_64"

    def collect(self) -> Metrics | None:
        return METRICS

    async def benchmark(self) -> bool:
        return True


class Disk:
    """The `Writing` of a journal in virtual time: each commit takes a moment, and is made whole or not at all."""

    def __init__(self, write: Write, loop: Loop, timeline: Timeline, effect: Callable[[], bool]) -> None:
        self._write_now = write
        self._loop = loop
        self._timeline = timeline
        self._effect = effect
        self._requests: list[Request] = []
        self._due = False

    def start(self) -> None:
        pass  # it is at work whenever time goes on

    def add(self, request: Request, *, urgent: bool) -> None:
        self._requests.append(request)
        if urgent and not self._due:
            self._due = True
            self._loop.call_later(self._timeline.rng.random() * 0.01, self._write)
        elif not urgent and len(self._requests) == 1:
            self._loop.call_later(_UNHURRIED_S, self._write)

    def close(self) -> None:
        if self._requests:
            self._write()

    def _write(self) -> None:
        self._due = False
        requests, self._requests = self._requests, []
        # Either side of a commit is a good place to die at.
        if requests and self._effect():
            self._write_now(requests)
            self._effect()
