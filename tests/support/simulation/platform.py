"""All the processes of a history with their hosts, and what breaks of them."""

from __future__ import annotations

import dataclasses
import functools
import math
import shutil
from pathlib import Path
from random import Random
from typing import Final

from webfront.broker.topology import node_queues
from webfront.database.models import Leadership
from wire import topology

from .loop import Timeline
from .machines import Machine
from .network import Link, Weather
from .plan import Break, Fault, Plan
from .processes import Clock, Controller, NodeAgent, Process, Site, journal_folder
from .rabbit import Rabbit, Session

TAKEOVER_S: Final = 5.0
"""A takeover from one that is stopped takes so long at most."""

_PATIENCE_S: Final = {"seat": ((2.0, 3.0), (6.0, 6.0)), "others": ((10.0, 40.0), (10.0, 40.0))}
"""For how long the broker, and the process, may hear nothing before they give a connection up."""


class Platform:
    """What the plan asks for: nodes `n1` and on, schedulers `scheduler1` and on, one broker."""

    def __init__(self, plan: Plan, folder: Path, found: list[str]) -> None:
        """What is wrong is added to `found`."""
        self.timeline = Timeline(Random(f"history {plan.seed}"))
        self.rabbit = Rabbit(self.timeline, dataclasses.replace(plan.weather))
        self.site = Site(self.timeline, self.rabbit, folder, found)
        self.clocks = {"controller": Clock(self.timeline)}
        self.slots = {f"n{number}": slots for number, slots in enumerate(plan.slots, 1)}
        self.machines = {name: Machine(name, self.timeline, plan.fate, found) for name in self.slots}
        self.running: dict[str, Process] = {}
        self.gone: set[str] = set()
        """Nodes that do not come back."""
        self.without_journal: set[str] = set()
        """Nodes that have lost one."""
        self._found = found.append
        self.own_trouble: dict[str, float] = {}
        """Until when a node has had trouble of its own: it was cut off, stopped, dead."""
        self.beginnings = 0
        """How often a scheduler may have had to send orders again: it began, its connection broke, its clock jumped."""
        (folder / "password").write_text("-")
        for name in self.machines:
            self.clocks[name] = Clock(self.timeline)
            for queue in node_queues(name, cluster=False):
                self.rabbit.declare(queue.name, queue.arguments, None)
        self._names = [*self.machines, *(f"scheduler{number}" for number in range(1, plan.schedulers + 1))]
        self._links = {name: Link() for name in self._names}
        self._faults_over = False
        self._faults = 0
        self._stalled_until = 0.0
        for name in self._names:
            self.start(name)

    def end(self) -> None:
        """Every process dies, and lets go of its files."""
        for process in list(self.running.values()):
            process.die()
        self.timeline.run(self.timeline.now + 0.001, lambda: False, lambda: None)

    def start(self, name: str) -> None:
        if name in self.running or name in self.gone:
            return
        if (machine := self.machines.get(name)) is not None:
            self.running[name] = NodeAgent(
                self.site, machine, self.slots[name], self.clocks[name], self._links[name], self._ended
            )
            return
        if self.timeline.now < self._stalled_until:
            self.timeline.at(self._stalled_until, lambda: self.start(name))
            return
        self.beginnings += 1
        self.running[name] = Controller(self.site, name, self.clocks["controller"], self._links[name], self._ended)

    def _ended(self, process: Process) -> None:
        del self.running[process.name]
        self.rabbit.closed_by_host(process)
        after = 0.1 + self.timeline.rng.random() * (2.0 if self._faults_over else 12.0)
        if process.name in self.machines:
            self.own_trouble[process.name] = self.timeline.now + (math.inf if process.name in self.gone else after)
        self.timeline.after(after, lambda: self.start(process.name))

    def fail(self, fault: Fault) -> None:
        self._faults += 1
        schedulers = [name for name in self._names if name not in self.machines]
        nodes = list(self.machines)
        match fault.kind:
            case Break.AGENT_DIES:
                self._kill_agent(nodes[fault.where % len(nodes)], fault)
            case Break.SCHEDULER_DIES:
                process = self.running.get(schedulers[fault.where % len(schedulers)])
                if process is not None:
                    process.fuse = fault.fuse
            case Break.CONNECTION_RESETS:
                process = self.running.get(self._names[fault.where % len(self._names)])
                if process is not None:
                    self.beginnings += 1
                    self.rabbit.drop(process)
            case Break.CUT:
                self._cut(self._names[fault.where % len(self._names)], fault)
            case Break.BROKER_RESTARTS:
                self.beginnings += 1
                self.rabbit.stop()
                self.timeline.after(min(fault.seconds, 10.0), self.rabbit.start)
            case Break.CLOCK_JUMPS:
                self.beginnings += 1
                clocks = list(self.clocks.values())
                clocks[fault.where % len(clocks)].ahead_s += fault.jump_s
            case Break.QUEUE_PURGED:
                names = [topology.EVENTS, *map(topology.jobs_queue, nodes)]
                if (queue := self.rabbit.queues.get(names[fault.where % len(names)])) is not None:
                    queue.ready.clear()
            case Break.CONTROLLER_STALLS:
                self._stall(fault.seconds)
            case Break.STOPPED:
                self._stop(self._names[fault.where % len(self._names)], fault)
            case Break.BROKER_BLOCKS:
                if self.rabbit.up:
                    self.beginnings += 1
                    self.rabbit.block("low on disk")
                    self.timeline.after(fault.seconds, lambda: self.rabbit.block(""))
            case Break.DISK_FULL:
                machine = self.machines[nodes[fault.where % len(nodes)]]
                machine.is_full = True
                self.timeline.after(fault.seconds, functools.partial(setattr, machine, "is_full", False))
            case Break.NODE_GOES:
                name = nodes[fault.where % len(nodes)]
                if len(self.gone | {name}) < len(nodes):
                    self.gone.add(name)
                    self.machines[name].power_off()
                    if name in self.running:
                        self.running[name].die()

    def _kill_agent(self, name: str, fault: Fault) -> None:
        process = self.running.get(name)
        if process is None:
            return
        if not fault.takes_apps and not fault.takes_journal:
            process.fuse = fault.fuse
            return
        process.die()
        if fault.takes_apps:
            self.machines[name].power_off()
        if fault.takes_journal:
            self.without_journal.add(name)
            # Once the dead process has let go of it.
            self.timeline.after(0.01, lambda: shutil.rmtree(journal_folder(self.site, name), ignore_errors=True))

    def _cut(self, name: str, fault: Fault) -> None:
        now, link = self.timeline.now, self._links[name]
        self.beginnings += 1
        if name in self.machines:
            # The process may find that only when it next says something, and waits before it connects again.
            self.own_trouble[name] = now + max(fault.seconds, 40.0)
        if fault.way != "down":
            link.up_cut_until = now + fault.seconds
        if fault.way != "up":
            link.down_cut_until = now + fault.seconds
        self._expect_silence(name)

    def _stop(self, name: str, fault: Fault) -> None:
        process = self.running.get(name)
        if process is None or process.is_stopped:
            return
        if isinstance(process, Controller):
            self.beginnings += 1
        if (machine := self.machines.get(name)) is not None:
            self.own_trouble[machine.name] = self.timeline.now + fault.seconds
        process.stop_for(fault.seconds)
        self._expect_silence(name)
        self._expect_takeover(process)

    def _stall(self, seconds: float) -> None:
        """The whole controller: nodes hear nothing of it, and may open their connections anew when it is back."""
        self.beginnings += 1
        until = self.timeline.now + seconds
        for name in self.machines:
            link = self._links[name]
            link.up_cut_until, link.down_cut_until = max(link.up_cut_until, until), max(link.down_cut_until, until)
            for session in [one for one in self.rabbit.sessions if one.client is self.running.get(name)]:
                after = 10 + self.timeline.rng.random() * 30
                self.timeline.after(after, functools.partial(self._process_gives_up, session, link))
        for process in self.running.values():
            if isinstance(process, Controller):
                process.stop_for(seconds)
        self._stalled_until = max(self._stalled_until, until)

    def _expect_takeover(self, former: Process) -> None:
        """Where it led and another stands by to which nothing happens, that one soon leads and hears the nodes."""
        epoch, troubles = _leader(), self._faults
        others = [one for one in self.running.values() if isinstance(one, Controller) and one is not former]
        is_led = any(one.name == f"skerry seat {former.name}" for one in self.rabbit.sessions if one.holds_the_seat)
        well = self.rabbit.up and not self.rabbit.blocked and not self.rabbit.weather.slow
        if not (is_led and well and others) or any(self.timeline.now - one.begun < 1 for one in others):
            return
        connected = [one for one in self.rabbit.sessions if one.client in others]
        if len(connected) < 2 or any(one.fuse is not None or one.is_stopped for one in others):
            return

        def look() -> None:
            undisturbed = all(one.alive and one.fuse is None for one in others)
            if self._faults != troubles or not former.is_stopped or not undisturbed:
                return  # something else has happened, or it went on
            if _leader() == epoch:
                self._found(f"{former.name} was stopped {TAKEOVER_S:.0f} s ago, and leads yet")
            elif any(one.client is former and one.consumes for one in self.rabbit.sessions):
                self._found(f"{former.name} was stopped {TAKEOVER_S:.0f} s ago, and whoever leads hears nothing")

        self.timeline.after(TAKEOVER_S, look)

    def _expect_silence(self, name: str) -> None:
        """Each end misses the other's heartbeats, when it hears nothing for long enough."""
        process, link = self.running.get(name), self._links[name]
        for session in [one for one in self.rabbit.sessions if one.client is process]:
            broker_s, process_s = _PATIENCE_S["seat" if session.name.startswith("skerry seat") else "others"]
            for (least, most), gives_up in ((broker_s, self._broker_gives_up), (process_s, self._process_gives_up)):
                after = least + self.timeline.rng.random() * (most - least)
                self.timeline.after(after, functools.partial(gives_up, session, link))

    def _broker_gives_up(self, session: Session, link: Link) -> None:
        process = self.running.get(session.client.name)
        if self.timeline.now < link.up_cut_until or (process is session.client and process.is_stopped):
            session.drop()
            session.tell("the broker closed it")

    def _process_gives_up(self, session: Session, link: Link) -> None:
        if self.timeline.now < link.down_cut_until:
            session.unheard()

    def heal(self) -> None:
        """No new fault. Clocks stay as they are, nobody sets them right; what is cut opens in its own time."""
        self._faults_over = True
        self.rabbit.weather = Weather()
        self.rabbit.start()
        self.rabbit.block("")
        for machine in self.machines.values():
            machine.is_full = False
        for process in self.running.values():
            process.fuse = None


def _leader() -> int:
    """The epoch of whoever leads."""
    row = Leadership.get_or_none()
    return 0 if row is None else int(row.epoch)
