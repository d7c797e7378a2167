"""From a process that logs to Elasticsearch: records a second, what each process takes of it, and the disk they fill.

One process logs as much as the broker takes, with what all the platform's processes log in a realistic mix; the shipper
takes it to a real Elasticsearch of one node, with our templates. Then what the records take of its disk, as they were
written and as one segment; and for how many days that is enough.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import records
from benchmarks.lanes.lane import wait_until
from benchmarks.logs import Asking, processor_s
from tests.support.elasticsearch import PrivateElasticsearch
from tests.support.rabbitmq import PrivateRabbit
from tests.support.shipping import Shipping, answered, install
from tests.support.stores import SQLITE, Store
from webfront.database.schema import migrate_database

RATES: Final = (10, 100, 333)
"""Records a second, all day and night; the last is what the queue's bound is made from."""
DISKS_GB: Final = (10, 50, 200, 1000)
FULL: Final = 0.85
"""Of its disk Elasticsearch fills; past that it puts no more shards there."""
_STREAM: Final = "logs-skerry-retention"

Rows = list[dict[str, object]]


def run(count: int) -> tuple[dict[str, Rows], dict[str, list[float]]]:
    """Each table by its title, and every figure."""
    with tempfile.TemporaryDirectory(prefix="skerry-bench-") as scratch:
        root = Path(scratch)
        rabbit = PrivateRabbit(root / "rabbitmq")
        rabbit.start()
        server = PrivateElasticsearch(root / "elasticsearch")
        server.start()
        try:
            install(server)
            store = Store(SQLITE, f"sqlite:///{root}/skerry.sqlite")
            migrate_database(store.url, None)
            (root / "state").mkdir()
            shipping = Shipping(root, rabbit, server, store, _STREAM)
            try:
                seconds, used = _ship(shipping, count)
            finally:
                shipping.end()
            written, merged = _disk(server)
        finally:
            server.stop()
            rabbit.stop()
    born = sum(map(len, records.lines(10_000))) / 10_000
    figures = {"seconds": [seconds], "bytes written": [written], "bytes merged": [merged], "bytes born": [born]}
    figures |= {f"{name}, processor s": [value] for name, value in used.items()}
    tables: dict[str, Rows] = {
        f"{count} records in {seconds:.0f} s, {count / seconds:.0f} a second": [
            {"process": name, "µs a record": round(value / count * 1e6, 1), "of one core": f"{value / seconds:.0%}"}
            for name, value in used.items()
        ],
        "Bytes a record": [{"as a line": round(born), "on disk": round(written), "as one segment": round(merged)}],
        f"Days until a disk is {FULL:.0%} full": [
            {
                "records/s": rate,
                "GB a day": round(rate * 86400 * written / 1e9, 2),
                **{f"{disk} GB": round(disk * FULL * 1e9 / (rate * 86400 * written)) for disk in DISKS_GB},
            }
            for rate in RATES
        ],
    }
    return tables, figures


def _ship(shipping: Shipping, count: int) -> tuple[float, dict[str, float]]:
    """Seconds from the first record to the last in Elasticsearch, and each process's seconds of a processor."""
    rabbit, server = shipping.broker, shipping.engine
    assert rabbit.process is not None
    assert server.process is not None
    indexed = Asking(server).indexed
    shipper = shipping.start()
    # Its first words: it is connected and consumes.
    wait_until(lambda: indexed(shipping.stream) > 0, "the shipper's own records", 0.05)
    pids = {"broker": rabbit.process.pid, "shipper": shipper.pid, "Elasticsearch": server.process.pid}
    before = {name: processor_s(pid) for name, pid in pids.items()}
    stood, begun = indexed(shipping.stream), time.monotonic()
    logging = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.records", rabbit.url, str(rabbit.password_file), str(count)]
    )
    shipping.processes.append(logging)
    wait_until(lambda: indexed(shipping.stream) > stood, "the first record", 0.02)
    begun = time.monotonic()
    _, status, spent = os.wait4(logging.pid, 0)
    logging.returncode = os.waitstatus_to_exitcode(status)
    assert logging.returncode == 0
    wait_until(lambda: indexed(shipping.stream) >= stood + count, "the last record", 0.05)
    seconds = time.monotonic() - begun
    used = {name: processor_s(pid) - before[name] for name, pid in pids.items()}
    return seconds, {"what logs": spent.ru_utime + spent.ru_stime, **used}


def _disk(server: PrivateElasticsearch) -> tuple[float, float]:
    """Bytes a record as they lie there, and as one segment."""

    def size() -> float:
        answered(server, "POST", f"/{_STREAM}/_flush?force=true&wait_if_ongoing=true")
        found = answered(server, "GET", f"/{_STREAM}/_stats/store,docs")["_all"]["primaries"]
        return float(found["store"]["size_in_bytes"]) / float(found["docs"]["count"])

    answered(server, "POST", f"/{_STREAM}/_refresh")
    written = size()
    answered(server, "POST", f"/{_STREAM}/_forcemerge?max_num_segments=1")
    return written, size()
