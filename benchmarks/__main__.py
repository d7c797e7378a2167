"""`python -m benchmarks NAME`: one measurement, the lanes of it in the same run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import idle, joblog, logs, pages, retention, soak
from benchmarks.lanes.ceiling import CeilingLane
from benchmarks.lanes.celery import CeleryLane
from benchmarks.lanes.dramatiq import DramatiqLane
from benchmarks.lanes.lane import Lane, wait_until
from benchmarks.lanes.skerry import SkerryLane, SkerryProcessLane
from tests.support.rabbitmq import PrivateRabbit
from tests.support.stores import KINDS

PEERS = ("Celery", "Dramatiq")
PROCESS_SHARE = 10
"""A lane that starts a process per job gets this many times fewer jobs."""


def measure_jobs(lane: Lane, count: int) -> list[float]:
    """[jobs per second], from the first submit to the last recorded outcome."""
    before = lane.outcomes()
    begin = time.monotonic()
    lane.submit(count)
    wait_until(lambda: lane.outcomes() - before >= count, f"{lane.name}'s last outcome")
    return [count / (time.monotonic() - begin)]


def measure_latency(lane: Lane, count: int) -> list[float]:
    """Milliseconds from submit to start at the worker, of jobs submitted one at a time to an idle lane."""
    milliseconds = []
    for _ in range(count):
        outcomes, starts = lane.outcomes(), len(lane.starts())
        begin = time.monotonic_ns()
        lane.submit(1)
        wait_until(lambda outcomes=outcomes: lane.outcomes() > outcomes, f"{lane.name}'s outcome")  # type: ignore[misc]
        milliseconds.append((lane.starts()[starts] - begin) / 1e6)
    return milliseconds


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie, by the nearest rank."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def run(measure: Callable[[Lane, int], list[float]], count: int, rounds: int) -> dict[str, list[float]]:
    """Each lane's figures over `rounds`; in each round the lanes begin with another one."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="skerry-bench-") as scratch:
        root = Path(scratch)
        # Apps run as a throw-away user, who must be able to reach their own folder below this one.
        root.chmod(0o711)
        rabbit = PrivateRabbit(root / "rabbitmq")
        rabbit.start()
        lanes: list[Lane] = []
        try:
            for kind in (SkerryLane, SkerryProcessLane, CeleryLane, DramatiqLane, CeilingLane):
                directory = root / kind.__name__
                directory.mkdir()
                lane: Lane = kind(rabbit, directory)
                lanes.append(lane)
                print(f"starting {lane.name}", file=sys.stderr)
                lane.start()
            for number in range(rounds):
                for lane in lanes[number % len(lanes) :] + lanes[: number % len(lanes)]:
                    share = PROCESS_SHARE if isinstance(lane, SkerryProcessLane) else 1
                    values = measure(lane, max(1, count // share))
                    figures.setdefault(lane.name, []).extend(values)
                    print(f"round {number + 1}: {lane.name}: {statistics.median(values):.1f}", file=sys.stderr)
        finally:
            for lane in lanes:
                lane.stop()
            rabbit.stop()
    return figures


def jobs_table(figures: dict[str, list[float]]) -> list[dict[str, object]]:
    """A row per lane: median jobs/s with its range, and as a ratio to the better peer."""
    best = max(statistics.median(figures[name]) for name in PEERS)
    return [
        {
            "lane": name,
            "jobs/s": round(statistics.median(values), 1),
            "lowest": round(min(values), 1),
            "highest": round(max(values), 1),
            "to the better peer": round(statistics.median(values) / best, 2),
        }
        for name, values in figures.items()
    ]


def latency_table(figures: dict[str, list[float]]) -> list[dict[str, object]]:
    """A row per lane: p50 and p99 in milliseconds, and p50 as a ratio to the better peer."""
    best = min(percentile(figures[name], 0.5) for name in PEERS)
    return [
        {
            "lane": name,
            "p50 ms": round(percentile(values, 0.5), 2),
            "p99 ms": round(percentile(values, 0.99), 2),
            "to the better peer": round(percentile(values, 0.5) / best, 2),
        }
        for name, values in figures.items()
    ]


Tables = dict[str, list[dict[str, object]]]


def on_each_store(options: argparse.Namespace, measure_on: Callable[[str], tuple[Tables, dict[str, bool]]]) -> int:
    """Measure on one database after the other, telling of each as soon as it is known. The exit code."""
    reached: list[bool] = []
    report: list[dict[str, object]] = []
    for kind in [options.store] if options.store else KINDS:
        tables, goals = measure_on(kind)
        for title, rows in tables.items():
            print(f"\n{title}")
            print_table(rows)
            report += rows
        print(*(f"{'yes' if there else 'NO '}: {words}" for words, there in goals.items()), sep="\n", flush=True)
        reached += goals.values()
    write_report(options.json, options.name, report, {})
    return 0 if all(reached) else 1


def print_table(rows: list[dict[str, object]]) -> None:
    """Columns aligned, for people."""
    header = list(rows[0])
    cells = [header] + [[str(row[name]) for name in header] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    for line in cells:
        print("  ".join([line[0].ljust(widths[0])] + [cell.rjust(widths[n + 1]) for n, cell in enumerate(line[1:])]))


def main() -> int:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(prog="./bench", description=__doc__)
    parser.add_argument("name", choices=["jobs", "latency", "pages", "soak", "idle", "logs", "retention", "joblog"])
    parser.add_argument(
        "--count",
        type=int,
        help="jobs per lane and round (default 1000; latency: 100); pages, soak: requests (200); "
        "idle: connections (10000); logs: records (30000); retention: records (200000); joblog: requests (100)",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="pages, soak: how many finished jobs there are")
    parser.add_argument("--mb", type=int, default=4096, help="joblog: how large the log is, in MiB")
    parser.add_argument("--store", choices=KINDS, help="pages, soak, joblog: this database alone")
    options = parser.parse_args()
    if options.name == "pages":
        rows = pages.run([options.store] if options.store else list(KINDS), options.jobs, options.count or 200)
        print_table(rows)
        write_report(options.json, options.name, rows, {})
        return 0
    if options.name == "soak":
        return on_each_store(options, lambda kind: soak.run(kind, options.jobs, options.count or 200))
    if options.name == "joblog":
        return on_each_store(options, lambda kind: joblog.run(kind, options.mb, options.count or 100))
    if options.name == "idle":
        most = options.count or 10_000
        rows = idle.run([most // 10, most])
        print_table(rows)
        write_report(options.json, options.name, rows, {})
        return 0
    if options.name == "logs":
        rows, taken = logs.run(options.count or 30_000, options.rounds)
        print_table(rows)
        goals = logs.verdicts(rows)
        print(*(f"{'yes' if reached else 'NO '}: {words}" for words, reached in goals.items()), sep="\n")
        write_report(options.json, options.name, rows, taken)
        return 0 if all(goals.values()) else 1
    if options.name == "retention":
        tables, taken = retention.run(options.count or 200_000)
        for title, rows in tables.items():
            print(f"\n{title}")
            print_table(rows)
        write_report(options.json, options.name, [row for rows in tables.values() for row in rows], taken)
        return 0
    measure, table, count = (
        (measure_jobs, jobs_table, 1000) if options.name == "jobs" else (measure_latency, latency_table, 100)
    )
    figures = run(measure, options.count or count, options.rounds)
    rows = table(figures)
    print_table(rows)
    write_report(options.json, options.name, rows, figures)
    return 0


def write_report(file: Path | None, name: str, rows: list[dict[str, object]], figures: dict[str, list[float]]) -> None:
    if file is None:
        return
    machine = {"processors": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {"benchmark": name, "machine": machine, "table": rows, "figures": figures}
    file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
