"""Log records: one JSON object a line, with Elastic Common Schema names, on stderr and to `skerry.logs`.

Each has an `event.id` from birth, by which a copy of it is known wherever it turns up; it stands first in the line.

Modules log as usual (`logging.getLogger(__name__)`) and put context into `extra` under its ECS name, for example
`extra={"event.action": "job.submit", "skerry.job": job_id}`. Only a process's start calls `configure_logging`.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
import itertools
import logging
import os
import platform
import secrets
import sys
from typing import Any, Final

from pythonjsonlogger.json import JsonFormatter

from wire import topology
from wire.broker import Broker

ECS_VERSION: Final = "8.11.0"
_KEPT_RECORDS: Final = 5000
"""How many records wait for a broker that is away; then the oldest go, counted. stderr has them all."""
_UNDER_WAY: Final = 1000
"""How many may be unconfirmed at a time."""
_LONGEST: Final = 16_000
"""Characters of one text in a record; what is cut stands on stderr no more than elsewhere."""
AGAIN: Final = "again"
"""A header of a record that was sent before, on a connection that broke: it may have arrived then too."""

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

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Called by the base class with the message and the `extra` fields; a None value is left out."""
        return {name: value for name, value in log_data.items() if value is not None}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Build the record from ECS's names rather than from logging's."""
        super().add_fields(log_data, record, message_dict)
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        exception = log_data.pop("exc_info", None)
        fields = {
            "event.id": f"{self._process}-{next(self._numbers):x}",
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
            fields["error.stack_trace"] = exception[-_LONGEST:]
        for name in ("taskName", "stack_info"):
            log_data.pop(name, None)
        rest = {name: value for name, value in log_data.items() if name not in fields}
        log_data.clear()
        log_data.update(fields)
        log_data.update(rest)


def configure_logging(service: str, *, level: str = "INFO", node: str | None = None) -> None:
    """Send every record of this process to stderr as JSON. `service` is the process: `webfront`, `scheduler`, ..."""
    handler = logging.StreamHandler(sys.stderr)
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
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text) - _LONGEST} more characters)"


class LogShipper(logging.Handler):
    """Publishes each record to `skerry.logs` too. It never blocks and never fails the code that logs.

    Records wait in memory until the broker has them on its disk, the oldest dropped past a bound, and are sent from the
    broker's event loop. What was under way when a connection broke is sent again, and marked: it may be there twice
    then, with one `event.id`.
    """

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._broker = broker
        self._loop = loop
        self._waiting: collections.deque[tuple[bytes, bool]] = collections.deque()
        self._under_way: dict[asyncio.Future[None], bytes] = {}
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
            self._waiting.append((self.format(record).encode(), False))
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

    def _send(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._under_way) < _UNDER_WAY and self._may_send():
            body, again = self._waiting.popleft()
            headers = {AGAIN: True} if again else None
            future = self._broker.publish(topology.LOGS, "", body, headers=headers)
            self._under_way[future] = body
            future.add_done_callback(self._told)

    def _may_send(self) -> bool:
        return self._broker.connected and self._broker.connects == self._flushed_connection

    def _told(self, future: asyncio.Future[None]) -> None:
        """The broker has it, or nobody knows: then it is sent with the next connection."""
        body = self._under_way.pop(future)
        if not future.cancelled() and future.exception() is not None:
            self._waiting.append((body, True))
        elif self._waiting:
            self._send()
