"""Dramatiq: worker processes with threads, quorum queue, confirmed publishes, outcomes recorded before the ack."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.lanes.lane import WORKERS, Processes, Rows, StartFile, wait_until
from tests.support.rabbitmq import PrivateRabbit

MODULE = "benchmarks.lanes.dramatiq_worker"
THREADS = 4


class DramatiqLane:
    """Implements `Lane`."""

    name = "Dramatiq"

    def __init__(self, rabbit: PrivateRabbit, directory: Path) -> None:
        database = directory / "outcomes.sqlite"
        self._starts = StartFile(directory / "starts")
        self._processes = Processes(directory)
        os.environ["BENCH_DRAMATIQ_BROKER"] = f"amqp://{rabbit.user}:{rabbit.password}@127.0.0.1:{rabbit.port}/%2F"
        os.environ["BENCH_DRAMATIQ_DATABASE"] = str(database)
        os.environ["BENCH_DRAMATIQ_STARTS"] = str(self._starts.path)
        module = importlib.import_module(MODULE)
        module.open_outcomes(str(database)).close()
        self._noop: Any = module.noop
        self._rows = Rows(database, "SELECT count(*) FROM outcomes WHERE state = 'succeeded'")

    def start(self) -> None:
        command = [sys.executable, "-m", "dramatiq", MODULE, "-p", str(WORKERS), "-t", str(THREADS)]
        self._processes.start("worker", command, dict(os.environ))
        self.submit(1)
        wait_until(lambda: self.outcomes() == 1, "Dramatiq's first message")

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._noop.send()

    def outcomes(self) -> int:
        return self._rows.count()

    def starts(self) -> list[int]:
        return self._starts.read()

    def stop(self) -> None:
        self._processes.stop()
