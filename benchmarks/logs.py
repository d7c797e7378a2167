"""How fast log records get from the broker's queue to Elasticsearch, and what a processor does of it.

Into a sink, which keeps nothing, by what a processor moves in a second; and into a real Elasticsearch, by the clock,
beside a bulk of the same records from a file with nothing between. Each lane is a process of its own, and its user and
system time is what counts. The broker's is told beside it, which a lane that reads a file does not need.

The lanes are measured in turn, in another order in each round, and a ratio is the median of the rounds'. Each begins
with ten records, which are not counted, and then stands still until all the others wait for it.
"""

from __future__ import annotations

import itertools
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
from typing import Final, NamedTuple

import httpx
import psutil

from benchmarks import records
from benchmarks.lanes import log_daemons
from benchmarks.lanes.lane import wait_until
from benchmarks.lanes.log_daemons import RSYSLOG, SYSLOG_NG
from tests.support.elasticsearch import PrivateElasticsearch, basic
from tests.support.rabbitmq import PrivateRabbit, free_ports
from tests.support.shipping import Shipping, Writer, install
from tests.support.stores import SQLITE, Store
from webfront.database.schema import migrate_database
from webfront.logs.engine import Engine
from webfront.settings import Settings

SHIPPER: Final = "Skerry's shipper"
ALONE: Final = "the same, a record a message"
PEER: Final = "streaming_bulk"
PEERS: Final = (PEER, "parallel_bulk")
DAEMONS: Final = (RSYSLOG, SYSLOG_NG)
LANES: Final = (SHIPPER, ALONE, *PEERS, *DAEMONS)
FILE: Final = "bulk from a file"
GOAL_SINK: Final = 3.0
"""Times what streaming_bulk moves for each second of a processor."""
GOAL_ENGINE: Final = 0.95
"""Of what a bulk from a file reaches."""
_BATCH: Final = 1000
_FIRST: Final = 10


class Measured(NamedTuple):
    """Seconds, and seconds of a processor."""

    clock: float
    own: float
    broker: float = 0.0


def run(count: int, rounds: int) -> tuple[list[dict[str, object]], dict[str, list[float]]]:
    """A row for each lane, and every figure: records a second, and microseconds a record."""
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
                # A server that has just begun is slow, at whoever comes first.
                bench.measure(FILE, server.url)
                for number in range(rounds):
                    for lane in _turned(LANES, number):
                        found = bench.measure(lane, sink)
                        core = count / found.own
                        print(f"round {number + 1}: {lane}: {core:.0f} a core", file=sys.stderr)
                        figures.setdefault(f"{lane}, a core", []).append(core)
                        figures.setdefault(f"{lane}, sink", []).append(count / found.clock)
                        figures.setdefault(f"{lane}, broker", []).append(found.broker / count * 1e6)
                    for lane in _turned((FILE, *LANES), number):
                        rate = count / bench.measure(lane, server.url).clock
                        print(f"round {number + 1}: {lane}: {rate:.0f} into the engine", file=sys.stderr)
                        figures.setdefault(f"{lane}, engine", []).append(rate)
        finally:
            server.stop()
            rabbit.stop()
    return _table(figures), figures


def _turned(lanes: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Each round begins with another one, and every second goes backwards: none has always the same one before it."""
    first = number % len(lanes)
    turned = lanes[first:] + lanes[:first]
    return turned[::-1] if number % 2 else turned


def _table(figures: dict[str, list[float]]) -> list[dict[str, object]]:
    middle = {name: statistics.median(values) for name, values in figures.items()}

    def against(figure: str, other: str) -> float:
        """The median of each round's ratio: a machine whose speed drifts has treated both alike."""
        pairs = zip(figures[figure], figures[other], strict=True)
        return round(statistics.median(one / two for one, two in pairs), 2)

    rows: list[dict[str, object]] = []
    for lane in (*LANES, FILE):
        core, engine = middle.get(f"{lane}, a core"), middle[f"{lane}, engine"]
        rows.append(
            {
                "lane": lane,
                "sink, records/s": round(middle[f"{lane}, sink"]) if core else "",
                "µs a record": round(1e6 / core, 1) if core else "",
                "of one core": round(core) if core else "",
                f"to {PEER}": against(f"{lane}, a core", f"{PEER}, a core") if core else "",
                "broker, µs": round(middle[f"{lane}, broker"], 1) if core and lane not in DAEMONS else "",
                "engine, records/s": round(engine),
                "to a file": against(f"{lane}, engine", f"{FILE}, engine"),
            }
        )
    return rows


def verdicts(rows: list[dict[str, object]]) -> dict[str, bool]:
    """Each goal in a sentence, and whether it is reached."""
    sink, engine = float(str(rows[0][f"to {PEER}"])), float(str(rows[0]["to a file"]))
    return {
        f"for each core {sink} times {PEER} (goal {GOAL_SINK})": sink >= GOAL_SINK,
        f"into Elasticsearch {engine} of a bulk from a file (goal {GOAL_ENGINE})": engine >= GOAL_ENGINE,
    }


class _Bench:
    def __init__(self, root: Path, rabbit: PrivateRabbit, server: PrivateElasticsearch, count: int) -> None:
        store = Store(SQLITE, f"sqlite:///{root}/skerry.sqlite")
        migrate_database(store.url, None)
        (root / "state").mkdir()
        self._root, self._rabbit, self._server, self._count, self._store = root, rabbit, server, count, store
        self._asking = Asking(server)
        self._daemons = log_daemons.programs()
        self._numbers = itertools.count(1)
        self._lines = list(records.lines(_FIRST + count))

    def measure(self, lane: str, url: str) -> Measured:
        """That many records by this lane, to the sink or the server at that address."""
        number = next(self._numbers)
        folder = self._root / f"run-{number}"
        folder.mkdir()
        shipping = Shipping(folder, self._rabbit, self._server, self._store, f"logs-skerry-bench{number}")
        shipping.environment["SKERRY_ELASTIC_URL"] = url
        try:
            if lane == FILE:
                return self._bulk(shipping)
            if lane in DAEMONS:
                return self._follow(lane, shipping, url)
            return self._drain(lane, shipping, url)
        finally:
            shipping.end()

    def _drain(self, lane: str, shipping: Shipping, url: str) -> Measured:
        """From the queue."""
        writer = Writer(self._rabbit, records.Formatter())
        # What another lane left unacknowledged.
        self._rabbit.api("/api/queues/%2F/skerry.logs/contents", "DELETE")
        if lane in PEERS:
            command = [sys.executable, "-m", "benchmarks.lanes.bulk_helpers", lane]
            with (shipping.folder / "log").open("ab") as log:
                process = subprocess.Popen(command, env=shipping.environment, stderr=log)
            shipping.processes.append(process)
        else:
            process = shipping.start()
        before = self._arrived(url, shipping.stream)
        writer.send(records.records(_FIRST))
        self._wait(lane, url, shipping.stream, _FIRST, since=before)
        _halt(process)
        writer.send(records.records(self._count), older=lane == ALONE)
        writer.stop()
        return self._go_on(lane, process, url, shipping.stream)

    def _follow(self, lane: str, shipping: Shipping, url: str) -> Measured:
        """From a file."""
        file = shipping.folder / "records"
        file.touch()
        process = log_daemons.start(
            lane, self._daemons, shipping.folder, file,
            url=url, stream=shipping.stream, user=self._server.user, password=self._server.password,
        )  # fmt: skip
        shipping.processes.append(process)
        before = self._arrived(url, shipping.stream)
        with file.open("ab") as out:
            # It has begun to follow the file before there is anything in it.
            time.sleep(1)
            out.writelines(self._lines[:_FIRST])
            out.flush()
            self._wait(lane, url, shipping.stream, _FIRST, since=before)
            _halt(process)
            out.writelines(self._lines[_FIRST:])
        return self._go_on(lane, process, url, shipping.stream)

    def _go_on(self, lane: str, process: subprocess.Popen[bytes], url: str, stream: str) -> Measured:
        """What it takes of a process that stands still, until all records that wait for it have arrived."""
        assert self._rabbit.process is not None
        before = self._arrived(url, stream)
        used, broker, begun = processor_s(process.pid), processor_s(self._rabbit.process.pid), time.monotonic()
        process.send_signal(signal.SIGCONT)
        # A shipper's own records are among them.
        self._wait(lane, url, stream, self._count, since=before)
        clock = time.monotonic() - begun
        return Measured(clock, processor_s(process.pid) - used, processor_s(self._rabbit.process.pid) - broker)

    def _bulk(self, shipping: Shipping) -> Measured:
        """From a file, with the same requests as the shipper's and nothing between."""
        file = self._root / "records"
        if not file.exists():
            file.write_bytes(b"".join(self._lines[_FIRST:]))
        engine = Engine.of(Settings.from_environment(shipping.environment))
        begun, used = time.monotonic(), time.process_time()
        with file.open("rb") as lines:
            while batch := [(one.split(b'"', 4)[3].decode(), one[:-1]) for one in itertools.islice(lines, _BATCH)]:
                engine.write(batch)
        measured = Measured(time.monotonic() - begun, time.process_time() - used)
        engine.close()
        return measured

    def _wait(self, lane: str, url: str, stream: str, count: int, *, since: int) -> None:
        wait_until(lambda: self._arrived(url, stream) >= since + count, f"{lane}'s {count} records", 0.02)

    def _arrived(self, url: str, stream: str) -> int:
        """How many records the sink or the server has taken."""
        return self._asking.indexed(stream) if url == self._server.url else self._asking.taken(url)


class Asking:
    """Asks how far a lane is, over one connection: making one costs as much as a hundred records."""

    def __init__(self, server: PrivateElasticsearch) -> None:
        self._client = httpx.Client(headers={"Authorization": basic(server.user, server.password)})
        self._server = server

    def indexed(self, stream: str) -> int:
        """How many records the server has taken into the stream."""
        answer = self._client.get(f"{self._server.url}/{stream}/_stats/indexing?filter_path=_all.primaries.indexing")
        # Before its first shard has begun there is nothing.
        found = answer.json() if answer.status_code == 200 else {}
        return int(found["_all"]["primaries"]["indexing"]["index_total"]) if found else 0

    def taken(self, sink: str) -> int:
        """How many the sink has taken."""
        return int(self._client.get(f"{sink}/count").text)


def processor_s(pid: int) -> float:
    """User and system time of a process and all that it has started and that runs."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _halt(process: subprocess.Popen[bytes]) -> None:
    """Have it stand still, which takes a moment on a busy machine: what it took meanwhile would count for nothing."""
    process.send_signal(signal.SIGSTOP)
    threads = Path(f"/proc/{process.pid}/task")
    wait_until(
        lambda: all(") T " in (one / "stat").read_text() for one in threads.iterdir()), "a process to stand still", 0.01
    )


@contextmanager
def _sink() -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink", str(port)], stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
