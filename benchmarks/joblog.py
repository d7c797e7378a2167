"""A job's log of gigabytes: how fast its text goes through the database to the share, and how soon a place in it opens.

The lines come as the scheduler writes them, in the events of an agent; the leader's chore moves them beside. Then the
whole application is asked for the log's first lines, its last ones and some from the middle, over WSGI, and each time
the file has been put out of the machine's memory before. Beside it, what one would do with such a file by hand: `tail`
for its end and `sed` for a line of its middle.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from benchmarks import pages
from webfront.activity.term import Term
from webfront.application import create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.models import AppVersion, Attempt, Job, LogChunk, LogPiece, User
from webfront.database.schema import migrate_database, open_database
from webfront.jobs.moving import MovingLogs
from webfront.scheduling.joblog import Coverage
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.versions import Versions
from webfront.settings import Settings
from wire.broker import BrokerAddress
from wire.messages import LogLines

LIMIT_MS: Final = 200.0
JOB: Final = "01M8FG9Q5C3Z55P3159VDBH7KF"
SHOWN: Final = 1000
_EVENT: Final = 5000
_EVENTS: Final = 8
_BY_SED: Final = 3
_LINE: Final = "{:>10} epoch: loss=0.123456 accuracy=0.987654 learning rate=0.0003 seconds=0.1042"


class _Call(NamedTuple):
    ms: float
    processor_ms: float
    """Which does not hang upon what else the machine does."""


Rows = list[dict[str, object]]


def run(kind: str, mebibytes: int, requests: int) -> tuple[dict[str, Rows], dict[str, bool]]:
    """On one database: each table by its title; and by what must be true, whether it is."""
    with tempfile.TemporaryDirectory(prefix="skerry-bench-") as name, pages.store(kind, Path(name)) as made:
        folder = Path(name)
        migrate_database(made.url, made.password_file)
        database = open_database(made.url, made.password_file)
        pages.fill(0)
        attempt = _attempt()
        begun = time.monotonic()
        lines, largest = _write(folder, attempt, mebibytes * 2**20)
        moved: Rows = [
            {
                "database": kind,
                "MiB": mebibytes,
                "lines": lines,
                "MiB/s": round(mebibytes / (time.monotonic() - begun), 1),
                "rows of it": LogPiece.select().count(),
                "most chunks that waited": largest,
            }
        ]
        measured = list(_measure(pages.settings_of(made, folder), folder / "logs" / JOB / "1", lines, requests))
        database.close()
    tables = {
        f"{kind}: on its way": moved,
        f"{kind}: opened, and none of the file in memory": [{"database": kind, **row} for row, _ in measured],
    }
    return tables, {
        f"{kind}: {row['place']} opens in {LIMIT_MS:.0f} ms, 99 times of 100: {worst:.0f} ms": worst < LIMIT_MS
        for row, worst in measured
        if worst is not None
    }


def _attempt() -> Attempt:
    now = time.time()
    job = Job.create(
        id=JOB, app_version=AppVersion.get(), user=User.get(User.name == "admin"), state="running", attempts=1,
        submitted_at=now, force_insert=True,
    )  # fmt: skip
    return Attempt.create(job=job, number=1, node="node-0", state="running", placement={}, placed_at=now)


def _write(folder: Path, attempt: Attempt, size: int) -> tuple[int, int]:
    """The log, as turns and the chore beside them write it. How many lines it has, and the most chunks that waited."""
    coverage, moving = Coverage(), MovingLogs(folder, ())
    term = Term(Leadership("the benchmark").take_over(time.time()).epoch)
    written, number, largest = 0, 0, 0
    told = 0
    while written < size:
        ledger = Ledger(Versions())
        with transaction():
            coverage.load([attempt.id])
            for _ in range(_EVENTS):
                lines = tuple(_LINE.format(number + one) for one in range(1, _EVENT + 1))
                ledger.add_lines(attempt.id, LogLines(JOB, 1, 0, number + 1, lines), time.time(), coverage)
                number += _EVENT
                written += sum(map(len, lines)) + _EVENT
            ledger.flush()
        largest = max(largest, LogChunk.select().count())
        moving.run(term)
        if written * 8 // size > told:
            told = written * 8 // size
            print(f"{written / 2**20:.0f} MiB, {number} lines", file=sys.stderr)
    now = time.time()
    Attempt.update(state="ended", log_lines=number, ended_at=now).execute()
    Job.update(state="succeeded", finished_at=now - 60).where(Job.id == JOB).execute()
    moving.run(term)
    if LogChunk.select().where(LogChunk.attempt == attempt).exists():
        raise RuntimeError("not all of the log was moved to the share")
    return number, largest


def _measure(
    settings: Settings, file: Path, lines: int, requests: int
) -> Iterator[tuple[dict[str, object], float | None]]:
    publisher = Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False)
    transport = httpx.WSGITransport(create_app(settings, services=create_services(settings, publisher)))
    chance = random.Random(1)

    def line() -> int:
        return chance.randrange(lines - SHOWN)

    with httpx.Client(transport=transport, base_url="http://skerry.test") as client:

        def ask(path: Callable[[], str]) -> Callable[[], object]:
            return lambda: client.get(path(), headers={"Authorization": "Bearer admin"}).raise_for_status()

        log = f"/api/v1/jobs/{JOB}/log?limit={SHOWN}"
        asked = (
            ("the first lines", ask(lambda: f"{log}&after=0")),
            ("the last lines", ask(lambda: f"{log}&last={SHOWN}")),
            ("line n", ask(lambda: f"{log}&after={line()}")),
            ("the page, at its end", ask(lambda: f"/jobs/{JOB}")),
            ("the page, at line n", ask(lambda: f"/jobs/{JOB}?line={line()}")),
        )
        for words, do in asked:
            do()
            yield _row(words, [_timed(do, file) for _ in range(requests)], True)
    tail = ["tail", "-n", str(SHOWN), str(file)]
    yield _row("tail -n, beside it", [_timed(_running(tail), file) for _ in range(requests)], False)
    places = [line() for _ in range(_BY_SED)]
    seds = [["sed", "-n", f"{at},{at + SHOWN - 1}p;{at + SHOWN}q", str(file)] for at in places]
    yield _row("sed -n, beside it", [_timed(_running(sed), file) for sed in seds], False)


def _running(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True)


def _row(words: str, calls: list[_Call], judged: bool) -> tuple[dict[str, object], float | None]:
    times = [call.ms for call in calls]
    p50, p99 = pages.percentile(times, 0.5), pages.percentile(times, 0.99)
    own = pages.percentile([call.processor_ms for call in calls], 0.5)
    row = {"place": words, "p50 ms": round(p50, 1), "p99 ms": round(p99, 1), "of a processor ms": round(own, 1)}
    return {**row, "times": len(calls)}, p99 if judged else None


def _timed(do: Callable[[], object], file: Path) -> _Call:
    """From a file that the machine has to read anew."""
    handle = os.open(file, os.O_RDONLY)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)
    models.database.connect(reuse_if_open=True)
    begun, used = time.perf_counter_ns(), _processor_s()
    do()
    return _Call((time.perf_counter_ns() - begun) / 1e6, (_processor_s() - used) * 1000)


def _processor_s() -> float:
    """Of this process, and of what it has started and seen end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
