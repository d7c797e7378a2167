"""All the processes of a history with their hosts, and what breaks of them."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from pathlib import Path
from random import Random

from webfront.broker.topology import node_queues
from wire import topology

from .loop import Timeline
from .machines import Machine
from .network import Link, Weather
from .plan import Break, Fault, Plan
from .processes import Clock, Controller, NodeAgent, Process, Site, journal_folder
from .rabbit import Rabbit, Session


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
        self.beginnings += 1
        self.running[name] = Controller(self.site, name, self.clocks["controller"], self._links[name], self._ended)

    def _ended(self, process: Process) -> None:
        del self.running[process.name]
        self.rabbit.closed_by_host(process)
        after = self.timeline.rng.random() * (2.0 if self._faults_over else 12.0)
        self.timeline.after(0.1 + after, lambda: self.start(process.name))

    def fail(self, fault: Fault) -> None:
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
        if fault.way != "down":
            link.up_cut_until = now + fault.seconds
        if fault.way != "up":
            link.down_cut_until = now + fault.seconds
        client = self.running.get(name)
        sessions = [one for one in self.rabbit.sessions if one.client is client]
        # Each end misses the other's heartbeats, when it hears nothing for long enough.
        for session in sessions:
            self.timeline.after(
                10 + self.timeline.rng.random() * 30, functools.partial(self._broker_gives_up, session, link)
            )
            self.timeline.after(
                10 + self.timeline.rng.random() * 30, functools.partial(self._process_gives_up, session, link)
            )

    def _broker_gives_up(self, session: Session, link: Link) -> None:
        if self.timeline.now < link.up_cut_until:
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
        for machine in self.machines.values():
            machine.is_full = False
        for process in self.running.values():
            process.fuse = None
