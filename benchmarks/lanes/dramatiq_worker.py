"""The Dramatiq broker and actor of its lane, loaded by the lane and by its workers."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.lanes.lane import note_start

_STARTS = os.environ["BENCH_DRAMATIQ_STARTS"]


class QuorumBroker(RabbitmqBroker):
    """Declares its queues as quorum queues."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": "quorum"}


class Outcomes(dramatiq.Middleware):
    """Records each outcome in SQLite. Dramatiq acknowledges a message only after this."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_outcomes(self._path)
        with connection:
            connection.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?)",
                (message.message_id, "failed" if exception else "succeeded", time.time()),
            )


def open_outcomes(path: str) -> sqlite3.Connection:
    """The outcomes' database, made if it is not there."""
    connection = sqlite3.connect(path, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS outcomes (id TEXT PRIMARY KEY, state TEXT, at REAL)")
    connection.commit()
    return connection


broker = QuorumBroker(url=os.environ["BENCH_DRAMATIQ_BROKER"], confirm_delivery=True)
broker.add_middleware(Outcomes(os.environ["BENCH_DRAMATIQ_DATABASE"]))
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench.dramatiq")
def noop() -> None:
    """Note the start, and nothing else."""
    note_start(_STARTS)
