"""Celery: prefork workers, quorum queue, confirmed publishes, late acknowledgement, results in SQLite."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.lanes.lane import Processes, Rows, StartFile, wait_until
from tests.support.rabbitmq import PrivateRabbit

MODULE = "benchmarks.lanes.celery_worker"


class CeleryLane:
    """Implements `Lane`."""

    name = "Celery"

    def __init__(self, rabbit: PrivateRabbit, directory: Path) -> None:
        self._directory = directory
        self._database = directory / "results.sqlite"
        self._starts = StartFile(directory / "starts")
        self._processes = Processes(directory)
        os.environ["BENCH_BROKER"] = f"amqp://{rabbit.user}:{rabbit.password}@127.0.0.1:{rabbit.port}//"
        os.environ["BENCH_DATABASE"] = str(self._database)
        os.environ["BENCH_STARTS"] = str(self._starts.path)
        self._noop: Any = importlib.import_module(MODULE).noop
        self._rows: Rows | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", MODULE, "worker", "--loglevel=WARNING"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self._processes.start("worker", command, dict(os.environ))
        self.submit(1)
        wait_until(lambda: self._starts.count() == 1 and self._database.exists(), "Celery's first task")
        self._rows = Rows(self._database, "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'")
        wait_until(lambda: self.outcomes() == 1, "Celery's first result")

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._noop.delay()

    def outcomes(self) -> int:
        return 0 if self._rows is None else self._rows.count()

    def starts(self) -> list[int]:
        return self._starts.read()

    def stop(self) -> None:
        self._processes.stop()
