"""The Celery application of its lane, loaded by the lane and by its worker."""

from __future__ import annotations

import os

import celery
import sqlalchemy.engine
import sqlalchemy.event

from benchmarks.lanes.lane import WORKERS, note_start

_STARTS = os.environ["BENCH_STARTS"]


@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "connect")
def _durable(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")


app = celery.Celery("bench", broker=os.environ["BENCH_BROKER"], backend=f"db+sqlite:///{os.environ['BENCH_DATABASE']}")
app.conf.update(
    task_default_queue="bench.celery",
    task_default_queue_type="quorum",
    task_default_exchange_type="topic",
    worker_detect_quorum_queues=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    worker_prefetch_multiplier=32,
    worker_concurrency=WORKERS,
    worker_send_task_events=False,
)


@app.task(name="bench.noop")
def noop() -> None:
    """Note the start, and nothing else."""
    note_start(_STARTS)
