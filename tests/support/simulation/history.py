"""One history: what its seed's plan says, from the beginning until every job has ended and nothing is in hand."""

from __future__ import annotations

import collections
import dataclasses
import functools
import logging
import math
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from node_scripts.journal import Key
from webfront.database import models
from webfront.database.connection import transaction
from webfront.jobs.lifecycle import request_cancel
from wire import topology
from wire.messages import Events, Finished, Order, Submitted, decode, encode

from .checker import Checker
from .machines import METRICS
from .network import Client, Message
from .plan import FAULTS_S, Plan, Submission, draw
from .platform import Platform
from .processes import CONTROLLER, NodeAgent, journalled

WITHIN_S: Final = 600.0
"""Every job has ended this long after the faults have: time for as many lost attempts and rests as there can be."""

_QUIET_S: Final = 120.0
"""Nothing is in hand any more this long after every job has ended."""

_RECOVERED_S: Final = 60.0
"""A node that had trouble has been heard by then, or given up for it."""

_OVERDUE_S: Final = 30.0
"""How long an order waits to be claimed before it is sent again."""

_TABLES: Final = ("log_chunk", "attempt", "job", "fact", "node", "look", "leadership")


@dataclasses.dataclass
class Outcome:
    """What became of a history."""

    seed: int
    found: list[str]
    """What is wrong; empty when nothing is."""
    digest: int
    """The same for the same history."""
    ended_s: float
    """How long after the faults the last job ended."""
    turns: int
    """How often the database changed."""


class Errors(logging.Handler):
    """What processes log as an error is one: nothing that is simulated here justifies it."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            words += f" ({record.exc_info[1]!r})"
        self._found.append(f"{record.name} says: {words}")


def prepare_database() -> None:
    """The user and the app versions of all histories, in an empty database that is bound."""
    user = models.User.create(name="ada", password_hash="-", created_at=0)
    for number, retries in ((1, {"rejected": 0}), (2, {"app_error": 2, "timeout": 1})):
        app = models.App.create(name=f"app{number}", owner=user, created_at=0)
        manifest = {"name": f"app{number}", "retries": retries}
        models.AppVersion.create(
            id=number, force_insert=True, app=app, hash=str(number) * 64, manifest=manifest, size=1, uploaded_at=0
        )


def play(seed: int, folder: Path, *, plan: Plan | None = None) -> Outcome:
    """The history of this seed (or of this plan), with its files in `folder`, which is gone afterwards."""
    folder.mkdir()
    history = History(draw(seed) if plan is None else plan, folder)
    listener = Errors(history.found)
    logging.getLogger().addHandler(listener)
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # It is about the memory of a process, of which there is one here for all.
            patch.setattr("node_scripts.heartbeat.give_back_memory", lambda: None)
            return history.run()
    finally:
        logging.disable(disabled)
        logging.getLogger().removeHandler(listener)
        shutil.rmtree(folder)


class History:
    """What is done to the platform of one history, and what is seen of it."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.found: list[str] = []
        self._platform = Platform(plan, folder, self.found)
        self._timeline = self._platform.timeline
        self._orders: dict[Key, list[float]] = collections.defaultdict(list)
        """When each order was sent."""
        self._digest = 0
        self._connection: sqlite3.Connection = models.database.obj.connection()
        self._checker = Checker(self._connection, self._told, self.found.append, self._is_well)
        self._platform.rabbit.said = self._said
        self._platform.rabbit.acknowledged = self._acknowledged

    def run(self) -> Outcome:
        self._empty_database()
        for job in self.plan.jobs:
            self._timeline.at(job.at, functools.partial(self._submit, job))
            if job.cancel_at is not None:
                self._timeline.at(job.cancel_at, functools.partial(self._cancel, job))
        for fault in self.plan.faults:
            self._timeline.at(fault.at, functools.partial(self._platform.fail, fault))
        self._run(FAULTS_S, lambda: False)
        self._platform.heal()
        self._run(FAULTS_S + WITHIN_S, lambda: not self._checker.open)
        ended_s = self._timeline.now - FAULTS_S
        self._look_at_the_end()
        outcome = Outcome(self.plan.seed, self.found, self._digest, ended_s, self._checker.looks)
        self._platform.end()
        return outcome

    def _run(self, until: float, stop: Callable[[], bool]) -> None:
        self._timeline.run(until, stop, self._checker.look)

    # What the front does.

    def _submit(self, job: Submission) -> None:
        with transaction():
            models.Job.create(
                id=job.job, app_version=job.version, user=1, state="queued", submitted_at=self._now(), force_insert=True
            )
        body = encode(Submitted(job=job.job))
        self._platform.rabbit.route(Message(topology.SUBMITTED, "", body, CONTROLLER, True, {}))

    def _cancel(self, job: Submission) -> None:
        request_cancel(job.job, self._now())

    def _now(self) -> float:
        return self._platform.clocks["controller"].now()

    # What is seen of it.

    def _said(self, client: Client, message: Message) -> None:
        self._digest = zlib.crc32(message.exchange.encode() + repr(self._timeline.now).encode(), self._digest)
        if message.exchange == topology.JOBS:
            order = decode(message.body)
            assert isinstance(order, Order)
            self._orders[order.job, order.attempt].append(self._timeline.now)

    def _acknowledged(self, client: Client, message: Message) -> None:
        """What is acknowledged is on the receiver's disk."""
        if message.exchange == topology.JOBS and client.name not in self._platform.without_journal:
            order = decode(message.body)
            if isinstance(order, Order) and not self._journals(client.name, (order.job, order.attempt)):
                self.found.append(f"{client.name} acknowledged {order.job}, {order.attempt} and has not journalled it")
        elif message.exchange == topology.EVENTS and (node := topology.node_of_user(message.user)) is not None:
            events = decode(message.body)
            for event in events.events if isinstance(events, Events) else ():
                row = self._checker.attempts.get((event.job, event.attempt))
                if isinstance(event, Finished) and row is not None and row.node == node and row.state != "ended":
                    self.found.append(f"{client.name} acknowledged the end of {row} and has not written it")

    def _journals(self, node: str, key: Key) -> bool:
        held, ended = journalled(self._platform.site, node)
        return key in held or key in ended

    def _is_well(self, node: str) -> bool:
        """Whether the node itself has had no trouble for long, whatever happened to the broker and the scheduler."""
        troubled_until = self._platform.own_trouble.get(node, -math.inf)
        return not self.plan.weather.lost and self._timeline.now - troubled_until > _RECOVERED_S

    def _told(self, node: str, key: Key) -> list[Any]:
        return self._platform.machines[node].told.get(key, [])

    def _look_at_the_end(self) -> None:
        stuck = [row.id for row in self._checker.jobs.values() if row.state not in ("succeeded", "failed", "cancelled")]
        for name in stuck:
            newest = [row for row in self._checker.attempts.values() if row.job == name][-1:]
            self.found.append(f"{name} has not ended: {self._checker.jobs[name]} {newest}")
        for key, times in self._orders.items():
            most = 2 + 2 * self._platform.beginnings + (times[-1] - times[0]) / _OVERDUE_S
            if len(times) > most:
                self.found.append(f"the order for {key} was sent {len(times)} times")
        if not stuck:
            self._run(self._timeline.now + _QUIET_S, lambda: not self._in_hand())
            self.found.extend(self._in_hand())
            self._checker.recorded_once()

    def _in_hand(self) -> list[str]:
        """What is still in hand of somebody although every job has ended."""
        found = []
        for name, machine in self._platform.machines.items():
            if name in self._platform.gone:
                continue
            process = self._platform.running.get(name)
            if not isinstance(process, NodeAgent):
                found.append(f"{name} has no agent")
                continue
            if process.holds() or process.busy_slots():
                found.append(f"{name} holds {process.holds()} attempts in {process.busy_slots()} slots")
            if running := [app.key for app in machine.apps.values()]:
                found.append(f"{name} keeps {running}")
            if queue := self._platform.rabbit.queues[topology.jobs_queue(name)].unsettled():
                found.append(f"{queue} orders wait for {name}")
            if not found and (held := journalled(self._platform.site, name)[0]):
                found.append(f"the journal of {name} holds {held}")
        aside = {name for (name,) in self._connection.execute("SELECT name FROM node WHERE refusals IS NOT NULL")}
        if aside := aside - self._platform.gone:
            found.append(f"{sorted(aside)} are set aside, and can take attempts again")
        events = self._platform.rabbit.queues.get(topology.EVENTS)
        if events is not None and events.unsettled():
            found.append(f"{events.unsettled()} messages with events wait")
        return found

    def _empty_database(self) -> None:
        with transaction():
            for table in _TABLES:
                self._connection.execute(f"DELETE FROM {table}")
            for name, slots in self._platform.slots.items():
                models.Node.create(
                    name=name, state="active", connection="local", address="", slots=slots, created_at=0,
                    metrics=msgspec.to_builtins(METRICS),
                )  # fmt: skip
