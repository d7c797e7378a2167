"""How fast log records get from the broker's queue to Elasticsearch, and what a processor does of it.

Into a sink, which keeps nothing, by what a processor moves in a second: the shipper beside the client's own helpers,
each in a process of its own, from the same queue. Into a real Elasticsearch, by the clock, beside a bulk of the same
records from a file, with nothing between.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks.lanes.lane import wait_until
from tests.support.elasticsearch import PrivateElasticsearch
from tests.support.rabbitmq import PrivateRabbit, free_ports
from tests.support.shipping import Shipping, Writer, example, install
from tests.support.stores import SQLITE, Store
from webfront.database.schema import migrate_database
from webfront.logs.engine import Engine
from webfront.settings import Settings
from wire.logs import EcsFormatter

SHIPPER: Final = "Skerry's shipper"
PEERS: Final = ("streaming_bulk", "parallel_bulk")
FILE: Final = "bulk from a file"
GOAL_SINK: Final = 3.0
"""Times what streaming_bulk moves for each second of a processor."""
GOAL_ENGINE: Final = 0.95
"""Of what a bulk from a file reaches."""
_BATCH: Final = 1000


def run(count: int, rounds: int) -> tuple[list[dict[str, object]], dict[str, list[float]]]:
    """A row for each lane, and every figure."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="skerry-bench-") as scratch:
        root = Path(scratch)
        rabbit = PrivateRabbit(root / "rabbitmq")
        rabbit.start()
        server = PrivateElasticsearch(root / "elasticsearch")
        server.start()
        try:
            install(server)
            with _sink() as sink:
                bench = _Bench(root, rabbit, server, count)
                for number in range(rounds):
                    lanes = [SHIPPER, *PEERS]
                    for lane in lanes[number % 3 :] + lanes[: number % 3]:
                        seconds, processor_s = bench.drain(lane, sink)
                        print(f"round {number + 1}: {lane}: {count / processor_s:.0f} a core", file=sys.stderr)
                        figures.setdefault(f"{lane}, a core", []).append(count / processor_s)
                        figures.setdefault(f"{lane}, sink", []).append(count / seconds)
                    for lane in (SHIPPER, FILE) if number % 2 else (FILE, SHIPPER):
                        seconds = bench.file() if lane == FILE else bench.drain(lane, server.url)[0]
                        print(f"round {number + 1}: {lane}: {count / seconds:.0f} into the engine", file=sys.stderr)
                        figures.setdefault(f"{lane}, engine", []).append(count / seconds)
        finally:
            server.stop()
            rabbit.stop()
    return _table(figures), figures


def _table(figures: dict[str, list[float]]) -> list[dict[str, object]]:
    middle = {name: statistics.median(values) for name, values in figures.items()}
    peer, file = middle["streaming_bulk, a core"], middle[f"{FILE}, engine"]
    rows: list[dict[str, object]] = []
    for lane in (SHIPPER, *PEERS, FILE):
        core, engine = middle.get(f"{lane}, a core"), middle.get(f"{lane}, engine")
        rows.append(
            {
                "lane": lane,
                "sink, records/s": round(middle[f"{lane}, sink"]) if core else "",
                "of one core": round(core) if core else "",
                "to streaming_bulk": round(core / peer, 2) if core else "",
                "engine, records/s": round(engine) if engine else "",
                "to a file": round(engine / file, 2) if engine else "",
            }
        )
    return rows


def verdicts(rows: list[dict[str, object]]) -> list[str]:
    """Whether each goal is reached, in a sentence."""
    sink, engine = float(str(rows[0]["to streaming_bulk"])), float(str(rows[0]["to a file"]))
    return [
        f"{'yes' if sink >= GOAL_SINK else 'NO '}: for each core {sink} times streaming_bulk (goal {GOAL_SINK})",
        f"{'yes' if engine >= GOAL_ENGINE else 'NO '}: {engine} of a bulk from a file (goal {GOAL_ENGINE})",
    ]


class _Bench:
    def __init__(self, root: Path, rabbit: PrivateRabbit, server: PrivateElasticsearch, count: int) -> None:
        store = Store(SQLITE, f"sqlite:///{root}/skerry.sqlite")
        migrate_database(store.url, None)
        (root / "state").mkdir()
        self._root, self._rabbit, self._server, self._count = root, rabbit, server, count
        self._store = store
        self._number = 0

    def drain(self, lane: str, url: str) -> tuple[float, float]:
        """Seconds, and seconds of a processor, until that many records have left the queue."""
        self._number += 1
        folder = self._root / f"run-{self._number}"
        folder.mkdir()
        stream = f"logs-skerry-bench{self._number}"
        shipping = Shipping(folder, self._rabbit, self._server, self._store, stream)
        shipping.environment["SKERRY_ELASTIC_URL"] = url
        if lane == SHIPPER:
            process = shipping.start()
        else:
            with (folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.lanes.bulk_helpers", lane], env=shipping.environment, stderr=log
                )
            shipping.processes.append(process)
        try:
            before = self._arrived(url, stream)
            writer = Writer(self._rabbit)
            # What it needs to begin is not counted. Then it stands still until all records wait.
            writer.write(10)
            wait_until(lambda: self._arrived(url, stream) >= before + 10, f"{lane}'s first records", 0.05)
            process.send_signal(signal.SIGSTOP)
            writer.write(self._count)
            writer.stop()
            before, used, begun = self._arrived(url, stream), _processor_s(process.pid), time.monotonic()
            process.send_signal(signal.SIGCONT)
            # Its own records are among them.
            wait_until(lambda: self._arrived(url, stream) >= before + self._count, f"{lane}'s last record", 0.02)
            return time.monotonic() - begun, _processor_s(process.pid) - used
        finally:
            shipping.end()

    def file(self) -> float:
        """Seconds for a bulk of as many records from a file."""
        self._number += 1
        lines = self._root / "records"
        if not lines.exists():
            formatter = EcsFormatter("writer", None)
            with lines.open("w") as out:
                for _ in range(self._count):
                    out.write(formatter.format(example()) + "\n")
        shipping = Shipping(self._root, self._rabbit, self._server, self._store, f"logs-skerry-bench{self._number}")
        engine = Engine.of(Settings.from_environment(shipping.environment))
        begun = time.monotonic()
        with lines.open("rb") as records:
            batch: list[tuple[str, bytes]] = []
            for line in records:
                batch.append((line.split(b'"', 4)[3].decode(), line.rstrip(b"\n")))
                if len(batch) == _BATCH:
                    engine.write(batch)
                    batch.clear()
            if batch:
                engine.write(batch)
        seconds = time.monotonic() - begun
        engine.close()
        return seconds

    def _arrived(self, url: str, stream: str) -> int:
        """How many records the sink or the server has taken."""
        if url != self._server.url:
            return int(httpx.get(f"{url}/count").text)
        status, found = self._server.request("GET", f"/{stream}/_stats/indexing")
        return int(found["_all"]["primaries"]["indexing"]["index_total"]) if status == 200 else 0


def _processor_s(pid: int) -> float:
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


@contextmanager
def _sink() -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink", str(port)], stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        process.terminate()
