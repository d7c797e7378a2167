"""Log records as a platform in use writes them: the same kinds, fields, words and sizes, in a mix that is stated here.

They are made by the platform's own formatter, as of 20 nodes and three processes of a controller. A test holds the
fields of the commonest kinds to what the platform writes.

`python -m benchmarks.records BROKER_URL PASSWORD_FILE COUNT` logs as many as fast as the broker takes them, and ends.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from webfront.broker.topology import declare_platform
from webfront.logs.figures import MEASURED
from webfront.logs.measurements import Measurement, fields_of
from wire.broker import Broker, BrokerAddress
from wire.logs import EcsFormatter, LogShipper

_NODES: Final = tuple(f"edge-{number:02}" for number in range(1, 21))
_USERS: Final = ("ada", "grace", "alan", "barbara", "edsger", "donald", "jenkins-ci", "margaret", "leslie", "frances")
_APPS: Final = ("flower-classifier", "noop", "defect-detector", "battery-forecast", "ocr", "sensor-anomalies")
_BASE32: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Kind(NamedTuple):
    """Records of one kind. `fields` gives what is logged beside the message."""

    of_a_thousand: int
    service: str
    logger: str
    level: int
    message: str
    fields: Callable[[random.Random], dict[str, Any]]


def _ulid(chance: random.Random) -> str:
    return "01M8" + "".join(chance.choices(_BASE32, k=22))


def _deed(action: str, method: str, status: int, path: str, *about: str, reason: str = "") -> Kind:
    """A line of the web front's action log; `about` are the fields that its route notes."""

    def fields(chance: random.Random) -> dict[str, Any]:
        values = {
            "skerry.app": chance.choice(_APPS),
            "skerry.job": _ulid(chance),
            "skerry.node": chance.choice(_NODES),
            "skerry.app_version": f"{chance.getrandbits(256):064x}",
        }
        room = action.partition(".")[0] + "s"
        found: dict[str, Any] = {name: values[name] for name in about} | {
            "user.name": chance.choice(_USERS),
            "event.action": action,
            "event.outcome": "success" if status < 400 else "failure",
            "event.duration": int(chance.lognormvariate(16, 0.8)),
            "skerry.controller": f"webfront.{chance.choice(('pages', 'api', 'api'))}.{room}",
            "url.path": path.format(job=values["skerry.job"], node=values["skerry.node"]),
            "http.request.method": method,
            "http.response.status_code": status,
        }
        return found | ({"event.reason": reason} if reason else {})

    weight, outcome = _DEEDS[action, status], "success" if status < 400 else "failure"
    return Kind(weight, "webfront", "webfront.web.actions", logging.INFO, f"{action}: {outcome}", fields)


_DEEDS: Final = {
    ("job.submit", 202): 250, ("job.submit", 422): 15, ("job.download", 200): 130, ("job.cancel", 202): 20,
    ("app.upload", 201): 20, ("session.begin", 303): 60, ("session.begin", 401): 20, ("token.issue", 201): 20,
    ("node.drain", 202): 5, ("webhook.test", 202): 5,
}  # fmt: skip


def _stands(chance: random.Random) -> dict[str, Any]:
    return {
        "event.action": "node.measure",
        "event.dataset": "skerry.node",
        "skerry.node": chance.choice(_NODES),
        "skerry.events_per_second": round(chance.gauss(5200, 900)),
        "skerry.slots": 2,
        "skerry.running": chance.randrange(3),
        "skerry.state": "active",
    }


def _measures(chance: random.Random) -> dict[str, Any]:
    node, (field, unit) = chance.choice(_NODES), chance.choice(list(MEASURED.items()))
    one = Measurement(node, field, round(chance.uniform(1, 100), 1), unit, chance.choice(_USERS))
    return fields_of(one) | {"skerry.node": node}


def _attempt(chance: random.Random) -> dict[str, Any]:
    return {
        "event.action": "attempt.end",
        "event.outcome": "failure",
        "skerry.job": _ulid(chance),
        "skerry.attempt": chance.choice((1, 1, 1, 2)),
        "skerry.node": chance.choice(_NODES),
        "skerry.cause": chance.choice(("app_error", "app_error", "timeout", "out_of_memory", "node_lost")),
        "skerry.state": "failed",
    }


def _held(chance: random.Random) -> dict[str, Any]:
    return {"skerry.job": _ulid(chance), "skerry.attempt": 1}


def _state(chance: random.Random) -> dict[str, Any]:
    return {"event.action": "node.state", "skerry.node": chance.choice(_NODES), "skerry.state": "suspect"}


def _chore(chance: random.Random) -> dict[str, Any]:
    return {"event.action": "chore.run", "skerry.chore": chance.choice(("schedules", "sweep", "retention"))}


def _play(chance: random.Random) -> dict[str, Any]:
    return {
        "skerry.play": chance.randrange(5000),
        "skerry.node": chance.choice(_NODES),
        "user.name": chance.choice(_USERS),
        "event.action": "play.register",
        "event.outcome": "success",
    }


def _delivery(chance: random.Random) -> dict[str, Any]:
    return {
        "event.action": "webhook.deliver",
        "event.outcome": "success",
        "skerry.delivery": chance.randrange(100_000),
        "skerry.webhook": chance.randrange(30),
    }


def _broke(chance: random.Random) -> dict[str, Any]:
    try:
        json.loads("{", object_hook=dict, cls=json.JSONDecoder)
    except ValueError as error:
        # As each that is raised it has its stack trace.
        return {"skerry.job": _ulid(chance), "trouble": (type(error), error, error.__traceback__)}
    raise AssertionError


KINDS: Final = (
    _deed("job.submit", "POST", 202, "/api/v1/jobs", "skerry.app", "skerry.job"),
    _deed("job.submit", "POST", 422, "/api/v1/jobs", "skerry.app", reason="input_missing"),
    _deed("job.download", "GET", 200, "/api/v1/jobs/{job}/outputs/predictions.csv", "skerry.job"),
    _deed("job.cancel", "POST", 202, "/api/v1/jobs/{job}/cancel", "skerry.job"),
    _deed("app.upload", "POST", 201, "/api/v1/apps", "skerry.app", "skerry.app_version"),
    _deed("session.begin", "POST", 303, "/login"),
    _deed("session.begin", "POST", 401, "/login", reason="wrong_password"),
    _deed("token.issue", "POST", 201, "/api/v1/tokens"),
    _deed("node.drain", "POST", 202, "/api/v1/nodes/{node}/drain", "skerry.node"),
    _deed("webhook.test", "POST", 202, "/api/v1/webhooks/7/test"),
    Kind(42, "scheduler", "webfront.logs.figures", logging.INFO, "node edge-03: 1 of 2 slots taken", _stands),
    Kind(208, "scheduler", "webfront.logs.figures", logging.INFO, "edge-03: free_cpu_percent is 71.3", _measures),
    Kind(30, "scheduler", "webfront.scheduling.events", logging.INFO,
         "attempt 1 of job 01M8EP8DJEAKVT6NVQ1619QFQ8 on edge-03 ended: the app ended with exit code 1", _attempt),
    Kind(10, "scheduler", "webfront.scheduling.judge", logging.WARNING,
         "node edge-03 is suspect: no heartbeat for 15 seconds", _state),
    Kind(40, "scheduler", "webfront.activity.chores", logging.INFO, "schedules: 3 jobs were made", _chore),
    Kind(3, "scheduler", "webfront.scheduling.scheduler", logging.ERROR, "a batch failed, one by one now", _broke),
    Kind(10, "plays", "webfront.plays.execution", logging.INFO, "play register of edge-03 succeeded", _play),
    Kind(37, "scheduler", "webfront.webhooks.delivering", logging.INFO, "delivery 48213 arrived", _delivery),
    Kind(40, "agent", "node_scripts.attempts", logging.INFO, "cancelling an attempt", _held),
    Kind(30, "agent", "wire.broker.broker", logging.WARNING,
         "the connection to the broker broke: Transport indicated EOF", lambda _: {}),
    Kind(5, "agent", "node_scripts.agent", logging.INFO, "the agent is running, with 2 slots",
         lambda _: {"event.action": "agent.start"}),
)  # fmt: skip


def records(count: int, seed: int = 1) -> Iterator[logging.LogRecord]:
    """As many records, each to be formatted by `Formatter`. Equal seeds make equal ones, but for ids and times."""
    chance = random.Random(seed)
    weights = [kind.of_a_thousand for kind in KINDS]
    for kind in chance.choices(KINDS, weights, k=count):
        fields = kind.fields(chance)
        record = logging.LogRecord(
            kind.logger, kind.level, __file__, 1, kind.message, None, fields.pop("trouble", None)
        )
        record.__dict__ |= fields
        record.from_service = (kind.service, chance.choice(_NODES) if kind.service == "agent" else None)
        yield record


class Formatter(logging.Formatter):
    """Each record as the process it is from would format it."""

    def __init__(self) -> None:
        super().__init__()
        self._of = functools.cache(EcsFormatter)

    def format(self, record: logging.LogRecord) -> str:
        return self._of(*record.__dict__.pop("from_service")).format(record)


def lines(count: int) -> Iterator[bytes]:
    """As many records, as the platform writes them, each ended by a line break."""
    formatter = Formatter()
    for record in records(count):
        yield formatter.format(record).encode() + b"\n"


async def _log(address: BrokerAddress, count: int) -> None:
    async def begin() -> None:
        await declare_platform(broker)
        shipper.flush_waiting()

    broker = Broker(address, name="benchmark", on_connected=begin)
    shipper = LogShipper(broker, asyncio.get_running_loop())
    shipper.setFormatter(Formatter())
    running = asyncio.create_task(broker.run())
    while not broker.connected:
        await asyncio.sleep(0.01)
    for record in records(count):
        shipper.emit(record)
        while shipper.unsettled > 3000:
            await asyncio.sleep(0.001)
    while shipper.unsettled:
        await asyncio.sleep(0.01)
    await broker.stop()
    await running


if __name__ == "__main__":
    asyncio.run(_log(BrokerAddress.read(sys.argv[1], Path(sys.argv[2])), int(sys.argv[3])))
