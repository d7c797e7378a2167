"""Log records: one JSON object a line, with Elastic Common Schema names, on stderr and to `skerry.logs`.

Measurements are records too, and go to `skerry.logs` alone (`METRIC`).

Each has an `event.id` from birth, by which a copy of it is known wherever it turns up; it stands first in the line.

A message to `skerry.logs` holds one record or several, and each ends with a line break, the last one too: a reader of
lines then waits for nothing. Releases up to 0.1.0 send one record a message, without it; so whoever reads takes the end
of a message for the end of a line (`lines_of`).

Modules log as usual (`logging.getLogger(__name__)`) and put context into `extra` under its ECS name, for example
`extra={"event.action": "job.submit", "skerry.job": job_id}`. Only a process's start calls `configure_logging`.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
import itertools
import json
import logging
import os
import platform
import secrets
import sys
from typing import Any, Final, NamedTuple

from pythonjsonlogger.json import JsonFormatter

from wire import topology
from wire.broker import Broker

ECS_VERSION: Final = "8.11.0"
_KEPT_RECORDS: Final = 5000
"""How many records wait for a broker that is away; then the oldest go, counted. stderr has them all."""
_UNDER_WAY: Final = 1000
"""How many may be unconfirmed at a time, but for the last message's."""
_MESSAGE_RECORDS: Final = 50
_MESSAGE_BYTES: Final = 32 * 1024
"""What one message holds at most (a longer record goes alone). Reading a message costs as much as five records do, a
fiftieth of which is nothing; and a reader that holds a thousand messages needs 32 MB for them."""
_LONGEST: Final = 16_000
"""Bytes of one text in a record, as JSON has it; what is cut stands on stderr no more than elsewhere."""
_WIDEST: Final = 12
"""Bytes of one character there: two escapes."""
_ID: Final = "_event_id"
"""Where a record keeps its id; what begins so is no field of it."""
METRIC: Final = "metric"
"""The `event.kind` of measurements, of which there are many times as many as of other records: they go to `skerry.logs`
alone, where programs read them, and not to stderr, where people do."""
AGAIN: Final = "again"
"""A header of a message that was sent before, on a connection that broke: its records may have arrived then too."""

_log = logging.getLogger(__name__)


class EcsFormatter(JsonFormatter):
    """Formats a record as one ECS line. `node` is the node's name, or None on the controller."""

    def __init__(self, service: str, node: str | None) -> None:
        super().__init__()
        # Told apart by the process alone: a host that comes back from a copy begins anew, and so does a fork.
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._fixed: dict[str, Any] = {
            "ecs.version": ECS_VERSION,
            "service.name": service,
            "host.name": platform.node(),
            "process.pid": os.getpid(),
        }
        if node is not None:
            self._fixed["skerry.node"] = node

    def _id_of(self, record: logging.LogRecord) -> str:
        """A record is formatted for stderr and for the broker, and is the same in both."""
        if (known := record.__dict__.get(_ID)) is None:
            known = record.__dict__[_ID] = f"{self._process}-{next(self._numbers):x}"
        return str(known)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Called by the base class with the message and the `extra` fields; a None value is left out."""
        return {name: value for name, value in log_data.items() if value is not None}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Build the record from ECS's names rather than from logging's."""
        super().add_fields(log_data, record, message_dict)
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        exception = log_data.pop("exc_info", None)
        fields = {
            "event.id": self._id_of(record),
            "@timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "log.level": record.levelname.lower(),
            "message": _cut(record.getMessage()),
            "log.logger": record.name,
            **self._fixed,
        }
        if exception and record.exc_info and record.exc_info[0]:
            fields["error.type"] = record.exc_info[0].__name__
            fields["error.message"] = _cut(str(record.exc_info[1]))
            # Its end says where it happened.
            fields["error.stack_trace"] = _shortened(exception[::-1])[::-1]
        for name in ("taskName", "stack_info"):
            log_data.pop(name, None)
        rest = {name: value for name, value in log_data.items() if name not in fields}
        log_data.clear()
        log_data.update(fields)
        log_data.update(rest)


def configure_logging(service: str, *, level: str = "INFO", node: str | None = None) -> None:
    """Send this process's records to stderr as JSON, but for measurements. `service` is the process: `webfront`, ..."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: vars(record).get("event.kind") != METRIC)
    handler.setFormatter(EcsFormatter(service, node))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # pika tells each step of a connection, and each failed one as an error; `wire.broker` says the same in a sentence.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    # It tells each request, which a shipper of records would ship in turn, and so on.
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)
    # At debug it writes each statement with its values, hashes of passwords and tokens among them.
    logging.getLogger("peewee").setLevel(logging.INFO)


def _cut(text: str) -> str:
    kept = _shortened(text)
    return text if len(kept) == len(text) else f"{kept} ... ({len(text) - len(kept)} more characters)"


def _shortened(text: str) -> str:
    """As much of its beginning as a record may hold."""
    if len(text) * _WIDEST <= _LONGEST:
        return text
    kept = text[:_LONGEST]
    while (size := len(json.dumps(kept)) - 2) > _LONGEST:
        kept = kept[: len(kept) * _LONGEST // size]
    return kept


def lines_of(body: bytes) -> list[bytes]:
    """The records in a message, each without its line break."""
    return body.removesuffix(b"\n").split(b"\n")


def count_of(body: bytes) -> int:
    """How many these are."""
    return body.count(b"\n", 0, -1) + 1


class _Message(NamedTuple):
    body: bytes
    records: int


class LogShipper(logging.Handler):
    """Publishes each record to `skerry.logs` too. It never blocks and never fails the code that logs.

    Records wait in memory until the broker has them on its disk, the oldest dropped past a bound, and are sent from the
    broker's event loop, in their order. A record goes at once while nothing is under way. What is logged until the
    broker has confirmed that is gathered, and then goes together, or before when it fills a message: so a message holds
    more the more is logged, and no record waits longer than the broker takes to answer for what is under way.

    What was under way when a connection broke is sent again as the same messages, and marked: it may be there twice
    then, each record under one `event.id`. A process that is killed leaves what it had gathered to its stderr alone.
    """

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._broker = broker
        self._loop = loop
        self._waiting: collections.deque[bytes] = collections.deque()
        self._again: collections.deque[_Message] = collections.deque()
        """What may have arrived, and goes before all that waits."""
        self._under_way: dict[asyncio.Future[None], _Message] = {}
        self._records_under_way = 0
        self._gathers = True
        self._dropped = 0
        self._scheduled = False
        self._flushed_connection = 0

    def attach(self) -> None:
        """Start shipping: everything logged from here on, in the format `configure_logging` set."""
        root = logging.getLogger()
        if root.handlers:
            self.setFormatter(root.handlers[0].formatter)
        root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record; called by logging, on any thread."""
        try:
            self._waiting.append(self.format(record).encode() + b"\n")
            if len(self._waiting) > _KEPT_RECORDS:
                self._waiting.popleft()
                self._dropped += 1
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon_threadsafe(self._send)
        except RuntimeError:
            # The loop is closed: the process is ending, and stderr has the record.
            self._scheduled = False
        except Exception:
            self.handleError(record)

    def flush_waiting(self) -> None:
        """Send what waits, and from now on each record, over this connection. Runs on the broker's loop.

        Call it after each (re)connect, once the exchange is known to be there: publishing to one that is not breaks the
        connection.
        """
        self._flushed_connection = self._broker.connects
        dropped, self._dropped = self._dropped, 0
        if dropped:
            _log.warning(
                "%s log records were dropped while the broker was away; the processes' own files have them",
                dropped,
                extra={"event.action": "logs.drop", "skerry.records": dropped},
            )
        self._send()

    def finish(self) -> None:
        """Gather nothing more: the process is ending. Call it on the broker's loop, before the broker's own `stop`."""
        self._gathers = False
        self._send()

    @property
    def unsettled(self) -> int:
        """How many records are not known to be with the broker."""
        again = sum(message.records for message in self._again)
        return len(self._waiting) + again + self._records_under_way

    def _send(self) -> None:
        self._scheduled = False
        while self._may_send() and (message := self._next()) is not None:
            body, again = message
            headers = {AGAIN: True} if again else None
            future = self._broker.publish(topology.LOGS, "", body.body, headers=headers)
            self._under_way[future] = body
            self._records_under_way += body.records
            future.add_done_callback(self._told)

    def _may_send(self) -> bool:
        return self._broker.connected and self._broker.connects == self._flushed_connection

    def _next(self) -> tuple[_Message, bool] | None:
        """What is to be sent now, and whether it was before."""
        if self._again:
            return self._again.popleft(), True
        gathers = self._gathers and self._under_way and len(self._waiting) < _MESSAGE_RECORDS
        if gathers or self._records_under_way >= _UNDER_WAY:
            return None
        lines: list[bytes] = []
        size = 0
        while self._waiting and len(lines) < _MESSAGE_RECORDS:
            size += len(self._waiting[0])
            if lines and size > _MESSAGE_BYTES:
                break
            lines.append(self._waiting.popleft())
        return (_Message(b"".join(lines), len(lines)), False) if lines else None

    def _told(self, future: asyncio.Future[None]) -> None:
        """The broker has it, or nobody knows: then it is sent with the next connection."""
        message = self._under_way.pop(future)
        self._records_under_way -= message.records
        if not future.cancelled() and future.exception() is not None:
            self._again.append(message)
        elif self._waiting:
            self._send()
