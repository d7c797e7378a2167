"""The processes: the real scheduler and the real agent, each on a loop of its own, and their deaths."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node_scripts.agent import Agent
from node_scripts.journal import Journal, Key
from node_scripts.settings import NodeSettings
from webfront.activity.term import Term
from webfront.broker.standing import Standing
from webfront.errors import Unavailable
from webfront.scheduling.beside import Beside
from webfront.scheduling.scheduler import Scheduler
from webfront.scheduling.seat import Seat
from webfront.settings import Settings
from wire import topology
from wire.broker import BrokerAddress

from .connections import connect
from .loop import Loop, Timeline
from .machines import Disk, HereAndNow, Machine, MachineRunner
from .network import Link
from .rabbit import Rabbit

EPOCH: Final = 1_700_000_000.0
"""What a clock says at the beginning of a history."""

CONTROLLER: Final = "skerry"


@dataclasses.dataclass
class Clock:
    """A host's clock: it may jump, while time goes on as ever."""

    timeline: Timeline
    ahead_s: float = 0.0

    def now(self) -> float:
        return EPOCH + self.timeline.now + self.ahead_s


@dataclasses.dataclass
class Site:
    """What every process has around it."""

    timeline: Timeline
    rabbit: Rabbit
    folder: Path
    found: list[str]
    """What is wrong."""


class Died(BaseException):
    """Unwinds whatever a process was doing when it died."""


class Process:
    """One life of a process. `fuse` counts down its effects, and at none left it dies just before the next."""

    def __init__(self, site: Site, name: str, link: Link, on_end: Callable[[Process], None]) -> None:
        self.site = site
        self.name = name
        self.link = link
        # It is a loop as far as the platform's processes use one, and abstract in the rest.
        self.loop = Loop(site.timeline, lambda words: site.found.append(f"{name}: {words}"))  # type: ignore[abstract]
        self.alive = True
        self.begun = site.timeline.now
        self.stopped_until = 0.0
        self.fuse: int | None = None
        self._on_end = on_end

    def effect(self) -> bool:
        """It does something that others see. False when it is dead; raises `Died` when it dies of it."""
        if self.alive and self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.die()
                raise Died
        return self.alive

    def stop_for(self, seconds: float) -> None:
        """As by SIGSTOP and SIGCONT."""
        self.stopped_until = max(self.stopped_until, self.site.timeline.now + seconds)
        self.loop.stop_for(seconds)

    @property
    def is_stopped(self) -> bool:
        return self.alive and self.site.timeline.now < self.stopped_until

    def die(self) -> None:
        """At this very moment."""
        if self.alive:
            self.alive = False
            self.loop.kill()
            self._on_end(self)

    def _begin(self, run: Callable[[], asyncio.Task[None]]) -> None:
        self.loop.within(run).add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.alive:
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, Unavailable):
                self.site.found.append(f"{self.name} ended by itself: {error!r}")
            self.die()


class NodeAgent(Process):
    """An agent, on its machine and with its journal's file."""

    def __init__(
        self, site: Site, machine: Machine, slots: int, clock: Clock, link: Link, on_end: Callable[[Process], None]
    ) -> None:
        super().__init__(site, machine.name, link, on_end)
        settings = NodeSettings(
            machine.name, journal_folder(site, machine.name), site.folder, "", site.folder, slots=slots
        )
        address = BrokerAddress("broker", 5672, "/", topology.node_user(machine.name), "")
        self.agent = self.loop.within(
            lambda: Agent(
                settings,
                MachineRunner(machine, self.loop, lambda: self.alive),
                now=clock.now,
                elsewhere=HereAndNow(),
                address=address,
                connect=connect(site.rabbit, self),
                open_journal=self._open_journal,
            )
        )
        self._begin(lambda: self.loop.create_task(self.agent.run()))

    def _open_journal(self, path: Path) -> Journal:
        journal = Journal(path, lambda write: Disk(write, self.loop, self.site.timeline, self.effect))
        # It waits for no disk: processes die here, and the machine that they are simulated on does not.
        journal._connection.execute("PRAGMA synchronous=OFF")
        return journal

    def holds(self) -> int:
        """How many attempts it has in hand."""
        return len(self.agent._attempts._held)

    def busy_slots(self) -> int:
        return self.agent._attempts._slots._busy


class _NothingBeside(Beside):
    """No chores and no consumers of facts: they are not what is looked at."""

    def __init__(self) -> None:
        pass

    def begin(self, term: Term) -> None:
        pass

    def end(self, *, wait: bool = False) -> None:
        pass


class _SimulatedStanding(Standing):
    """What the management API would say and do; it answers as long as the broker is there."""

    def __init__(self, rabbit: Rabbit) -> None:
        self._rabbit = rabbit

    def up_for(self) -> float | None:
        return self._rabbit.timeline.now - self._rabbit.up_since if self._rabbit.up else None

    def evict(self, name: str, *, but_the_newest: bool = False) -> int:
        found = [one for one in self._rabbit.sessions if one.name == name]
        found = found[:-1] if but_the_newest else found
        for session in found:
            session.drop()
            session.tell("closed by management")
        return len(found)


class Controller(Process):
    """A scheduler."""

    def __init__(self, site: Site, name: str, clock: Clock, link: Link, on_end: Callable[[Process], None]) -> None:
        super().__init__(site, name, link, on_end)
        settings = Settings(
            state_dir=site.folder,
            share_dir=site.folder,
            broker_url=f"amqp://{CONTROLLER}@broker:5672/",
            broker_password_file=site.folder / "password",
            broker_admin_url="",
            database_url="",
            # Sooner than a node is given up as a rule, so that it comes back while its jobs run elsewhere.
            heartbeat_suspect_s=8.0,
            heartbeat_dead_s=16.0,
        )
        self.scheduler = self.loop.within(
            lambda: Scheduler(
                settings,
                clock.now,
                connect=connect(site.rabbit, self),
                holder=name,
                seat=Seat(settings.broker_address(), name, connect=connect(site.rabbit, self), own_thread=False),
                standing=_SimulatedStanding(site.rabbit),
                beside=_NothingBeside(),
                ships_logs=False,
            )
        )
        self._begin(lambda: self.loop.create_task(self.scheduler.run()))


def journal_folder(site: Site, node: str) -> Path:
    return site.folder / node


def journalled(site: Site, node: str) -> tuple[set[Key], set[Key]]:
    """What a node's journal holds, and what it knows as ended."""
    path = journal_folder(site, node) / "journal.sqlite"
    if not path.exists():
        return set(), set()
    connection = sqlite3.connect(path)
    try:
        held = set(connection.execute("SELECT job, attempt FROM attempts"))
        return held, set(connection.execute("SELECT job, attempt FROM ended"))
    finally:
        connection.close()
