"""A month on a platform: rows of its database, made up, and the records that the platform itself makes of them.

The facts, jobs, attempts, lines and nodes are of many names, of which some are far more frequent than others, so that
whatever is asked for wrongly shows. Every moment is of its own, to the millisecond.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from webfront.activity.facts import COLUMNS, DEEDS, FactRow, Kind, NewFact, Outcome, from_row, record_many
from webfront.activity.term import Term
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.rows import rows
from webfront.logs import activity, printed
from webfront.logs.engine import Engine, Verdict
from webfront.logs.figures import tell_figures
from webfront.logs.measurements import Measurement, fields_of
from webfront.logs.writing import Carrier
from webfront.settings import Settings
from wire.logs import EcsFormatter

DAY_S = 86_400
CAUSES = ("ok", "app_error", "timeout", "out_of_memory", "node_lost", "rejected", "cancelled")
STATES = {"ok": "succeeded", "cancelled": "cancelled"}
USERS = ["user-00", "user-01", "user-02", "", *(f"user-{number:02}" for number in range(3, 26))]
NODES = ["", *(f"node-{number:02}" for number in range(24))]
CONTROLLERS = ["", *(f"{face}.{noun}" for noun in ("jobs", "nodes", "apps", "usage", "tokens", "users", "webhooks")
                     for face in ("pages", "api"))]  # fmt: skip
REASONS = ["reason_00", "reason_01", "", *(f"reason_{number:02}" for number in range(2, 23))]
PROCESSES = ("webfront", "scheduler", "plays", "shipper", "agent")
FIGURES_EVERY_S = 240
QUIET_S = (6 * 3600, 8 * 3600)
"""Before the end, when nothing happened."""


@dataclasses.dataclass
class Printed:
    """A record that a process has printed, and of which one it is."""

    at: int
    service: str
    fields: dict[str, Any]


class Month:
    """What happened until `now`, in seconds, in the open database. Everything is decided by `seed`."""

    def __init__(self, now: int, *, seed: int) -> None:
        self._now = now
        self._rolled = random.Random(seed)
        self._moments = set[float]()
        self.figures: list[dict[str, Any]] = []
        """What the table of nodes said at each moment at which they were asked; `at` in milliseconds."""
        self.metered: list[tuple[int, Measurement]] = []
        """What devices that are no nodes have measured, and when in milliseconds."""
        self.printed: list[Printed] = []
        """What processes have logged beside."""

    def happen(self) -> None:
        user = models.User.create(name="owner", password_hash="", is_admin=False, created_at=0)
        app = models.App.create(name="app", owner=user, created_at=0)
        version = models.AppVersion.create(app=app, hash="h", manifest={}, size=1, uploaded_at=0)
        with transaction():
            record_many(self._deeds(2500))
            record_many(self._states(100))
            for number in range(260):
                record_many(self._job(f"{number:026}", user, version))

    def carry(self, settings: Settings) -> None:
        """Have the platform write its records of all of that."""
        facts = [from_row(row) for row in rows(FactRow, f"SELECT {COLUMNS} FROM fact ORDER BY id")]
        Carrier(settings, activity.records_of)(facts)
        said = partial(printed.records_of, share=settings.share_dir)
        Carrier(settings, said)([fact for fact in facts if fact.kind == Kind.ATTEMPT_END])
        door = Engine.of(settings)
        try:
            for part in _parts([*self._nodes_tell(), *self._meters_tell(), *self._processes_log(300)], 500):
                assert {verdict for verdict, _ in door.write(part)} == {Verdict.WRITTEN}
        finally:
            door.close()

    def _moment(self, days: float) -> float:
        """One of its own within so many days, the last one more likely than the others."""
        while True:
            before = self._rolled.uniform(1, min(self._rolled.choice([0.9, 6, days]), days) * DAY_S)
            moment = round(self._now - before, 3)
            if moment not in self._moments and not QUIET_S[0] < before < QUIET_S[1]:
                self._moments.add(moment)
                return moment

    def _one_of(self, names: Sequence[str]) -> str:
        """The first more often than the second, and so on."""
        return self._rolled.choices(names, [1 / (place + 1) for place in range(len(names))])[0]

    def _deeds(self, count: int) -> Iterator[NewFact]:
        kinds = self._rolled.sample(sorted(DEEDS), len(DEEDS))
        kinds.sort(key=lambda kind: kind != Kind.SESSION_BEGIN)
        # Somebody who came an hour ago for the first time.
        yield NewFact(Kind.SESSION_BEGIN, self._now - 3600.25, user="latecomer", controller=CONTROLLERS[1])
        for _ in range(count):
            failed = self._rolled.random() < 0.3
            reason = self._one_of(REASONS) if failed else ""
            yield NewFact(
                Kind(self._one_of(kinds)),
                self._moment(33),
                Outcome.FAILURE if failed else Outcome.SUCCESS,
                user=self._one_of(USERS),
                controller=self._one_of(CONTROLLERS[1:] + CONTROLLERS[:1]),
                node=self._one_of(NODES),
                app=self._rolled.choice(["", "digits", "birds"]),
                job=self._rolled.choice(["", f"{self._rolled.randrange(50):026}"]),
                data={"reason": reason} if reason else None,
            )

    def _states(self, count: int) -> Iterator[NewFact]:
        for _ in range(count):
            state = self._rolled.choice(["active", "suspect", "dead"])
            yield NewFact(
                Kind.NODE_STATE, self._moment(3), node="node-01", data={"state": state, "reason": "heartbeat"}
            )

    def _job(self, name: str, user: models.User, version: models.AppVersion) -> Iterator[NewFact]:
        """A job with its rows and lines: some never started, some tried twice."""
        ended, cause = self._moment(3), self._one_of(CAUSES)
        ran, waited = round(self._rolled.uniform(0.2, 300), 3), round(self._rolled.expovariate(1 / 40), 3)
        started = None if cause == "rejected" else round(ended - ran, 3)
        state, tries = STATES.get(cause, "failed"), self._rolled.choice([1, 1, 2])
        models.Job.create(
            id=name, app_version=version, user=user, state=state, cause=cause, attempts=tries,
            submitted_at=round(ended - ran - waited, 3), finished_at=ended, force_insert=True,
        )  # fmt: skip
        # Some jobs are of users who do nothing else: schedules make them.
        owner = self._one_of([*USERS[:3], "robot-1", "robot-2", "robot-3"])
        of_app = self._rolled.choice(["digits", "birds"])
        for number in range(1, tries + 1):
            last = number == tries
            at = ended if last else self._moment(3)
            node, how = self._one_of(NODES[1:]), cause if last else "node_lost"
            attempt = models.Attempt.create(
                job=name, number=number, node=node, state="ended", placement={}, placed_at=at - ran - 1,
                started_at=started if last else None, ended_at=at, cause=how,
            )  # fmt: skip
            for line in range(1, self._rolled.randrange(8)):
                models.LogChunk.create(
                    attempt=attempt, first=line, count=1, at=self._moment(3), text=f"line {line} of {name[-3:]}"
                )
            outcome = Outcome.SUCCESS if how == "ok" else Outcome.FAILURE
            yield NewFact(
                Kind.ATTEMPT_END, at, outcome, user=owner, app=of_app, node=node, job=name, attempt=number,
                data={"cause": how},
            )  # fmt: skip
        outcome = Outcome.SUCCESS if state == "succeeded" else Outcome.FAILURE
        # The attempt's end and the job's are one moment.
        yield NewFact(
            Kind.JOB_END, ended, outcome, user=owner, app=of_app, job=name, data={"state": state, "cause": cause}
        )

    def _nodes_tell(self) -> Iterator[tuple[str, bytes]]:
        """The chore that tells nodes' figures, every few minutes for longer than a day."""
        states = {"alpha": "active", "beta": "draining", "gamma": "drained", "lost": "dead"}
        for slots, (name, state) in enumerate(states.items(), 2):
            models.Node.create(
                name=name, state=state, connection="local", address="", slots=slots, created_at=0, metrics={},
                registered_by={"alpha": "provider-1", "beta": "provider-2"}.get(name, ""),
            )  # fmt: skip
        log = _Captured("scheduler")
        with log.of("webfront.logs.figures"), transaction():
            for turn, at in enumerate(range(self._now - DAY_S - 7200, self._now, FIGURES_EVERY_S)):
                for name in states:
                    models.Node.update(metrics=self._metrics(name)).where(models.Node.name == name).execute()
                if turn % 97 == 96:
                    self._nodes_change(turn)
                log.at = at + 0.5
                tell_figures(Term(0))
                self.figures += self._told(at * 1000 + 500)
        yield from log.records

    def _meters_tell(self) -> Iterator[tuple[str, bytes]]:
        """Devices to come: their measurements are as the platform writes any, and arrive in no order of time."""
        log = _Captured("intake")
        logger = logging.getLogger("webfront.made_up.meter")
        # Of two of them there is one alone, in the last hour and long before.
        told = [("meter-2", self._now - 3000.125), ("meter-3", self._now - DAY_S + 3000.125)]
        told += [("meter-1", self._moment(1.5)) for _ in range(400)]
        with log.of(logger.name):
            for device, at in told:
                field, unit = self._rolled.choice([("voltage", "V"), ("voltage", "V"), ("energy", "kWh")])
                one = Measurement(device, field, round(self._rolled.uniform(-5, 240), 3), unit, "ada")
                log.at = at
                logger.info("measured", extra=fields_of(one))
                self.metered.append((round(at * 1000), one))
        yield from log.records

    def _nodes_change(self, turn: int) -> None:
        """Another slot, another attempt that runs, another state."""
        models.Node.update(slots=models.Node.slots + 1).execute()
        models.Node.update(state="active").where(models.Node.name == "gamma").execute()
        for place, node in enumerate(("alpha", "beta", "gamma")):
            models.Attempt.create(
                job=f"{0:026}", number=turn + place, node=node, state="running", placement={}, placed_at=0
            )

    def _told(self, at: int) -> list[dict[str, Any]]:
        """What the database has of the nodes that tell figures."""
        running = Counter(one.node for one in models.Attempt.select().where(models.Attempt.state == "running"))
        return [
            {
                "at": at,
                "node": row.name,
                "state": row.state,
                "slots": row.slots,
                "running": running[row.name],
                "owner": row.registered_by,
            }
            | row.metrics
            for row in models.Node.select()
            if row.state in ("active", "draining", "drained")
        ]

    def _metrics(self, node: str) -> dict[str, float | None]:
        return {
            "free_cpu_percent": round(self._rolled.uniform(1, 99), 1),
            "free_memory_percent": round(self._rolled.uniform(1, 99), 1),
            "free_disk_gb": round(self._rolled.uniform(1, 400), 1),
            "load_1m": round(self._rolled.uniform(0, 8), 2),
            "temperature_c": None if node == "beta" else round(self._rolled.uniform(30, 90), 3),
            "events_per_second": 1000.0,
        }

    def _processes_log(self, count: int) -> Iterator[tuple[str, bytes]]:
        """What processes log, as they format it."""
        captured = {service: _Captured(service) for service in PROCESSES}
        for number in range(count):
            service = self._one_of(PROCESSES)
            log = captured[service]
            logger = logging.getLogger(f"webfront.made_up.{self._rolled.choice('abc')}")
            level = self._rolled.choice([logging.INFO, logging.WARNING, logging.ERROR, logging.ERROR, logging.CRITICAL])
            log.at = self._moment(3)
            with log.of(logger.name):
                try:
                    if number % 3 == 0:
                        raise ValueError(f"value {number}")
                    logger.log(level, "message %d", number)
                except ValueError:
                    logger.log(level, "message %d", number, exc_info=True)
            self.printed.append(Printed(round(log.at * 1000), service, json.loads(log.records[-1][1])))
        for log in captured.values():
            yield from log.records


class _Captured(logging.Handler):
    """The records that loggers make, formatted as the process `service` does, of the moment `at`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.setFormatter(EcsFormatter(service, None))
        self.at = 0.0
        self.records: list[tuple[str, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.created = self.at
        line = self.format(record)
        self.records.append((json.loads(line)["event.id"], line.encode()))

    def of(self, logger: str) -> _Attached:
        return _Attached(logging.getLogger(logger), self)


class _Attached:
    """A handler on a logger that lets everything through, for a while."""

    def __init__(self, logger: logging.Logger, handler: logging.Handler) -> None:
        self._logger, self._handler = logger, handler

    def __enter__(self) -> None:
        self._before = self._logger.level
        self._logger.setLevel(logging.DEBUG)
        self._logger.addHandler(self._handler)

    def __exit__(self, *about: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._before)


def _parts(records: Sequence[tuple[str, bytes]], most: int) -> Iterator[Sequence[tuple[str, bytes]]]:
    for begin in range(0, len(records), most):
        yield records[begin : begin + most]
