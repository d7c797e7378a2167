"""What a million finished jobs cost of database with the retention that is shipped, and whom its chores hold up.

The jobs end evenly over a year. Each leaves what a job of four seconds leaves that prints a line every tenth of a
second: its row, an attempt with the ranking of eight nodes, forty chunks of log, three facts (`benchmarks.lives`). The
year is gone through in slices: their jobs live, then the leader's chores run with the clock at the slice's end. So the
database is at the end what a year has made of it. Logs are left from the day on that is twice as far from the end as
they are kept: what was before is gone by then, and its room used again.

While the chores run, another connection commits all the time, and its waits are told beside those when no chore runs.
Before the last slice's chores and after them the pages are asked as by `./bench pages`, and jobs are submitted.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import httpx
import peewee

from benchmarks import pages
from benchmarks.lives import Lives
from tests.support.stores import Store
from webfront.activity.numbering import number
from webfront.activity.term import Term
from webfront.apps.deleting import FOLDER, may_go
from webfront.changeable.table import LOGS_DAYS
from webfront.changeable.values import Values
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.models import User
from webfront.database.schema import migrate_database, open_database
from webfront.jobs.moving import MovingLogs
from webfront.jobs.retention import (
    forget_old_inputs,
    forget_old_jobs,
    forget_old_logs,
    forget_old_rankings,
    forget_old_results,
)
from webfront.retention.facts import DAY_S, forget_old_facts
from webfront.retention.removals import Removing
from webfront.scheduling.leadership import Leadership
from webfront.settings import Settings

MOST_GB: Final = 1.2
MOST_WAIT_MS: Final = 1000.0
DAYS: Final = 365
SLICES: Final = 365
"""A real leader runs its chores each hour: what is left by then takes room, too."""
_TOLD: Final = 20
_ALONE_S: Final = 5.0
_SIZES: Final = {
    "sqlite": (
        "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY m.tbl_name"
    ),
    "mariadb": (
        "SELECT table_name, data_length + index_length FROM information_schema.tables WHERE table_schema = DATABASE()"
    ),
}

Row = dict[str, object]
Rows = list[Row]


def run(kind: str, jobs: int, requests: int) -> tuple[dict[str, Rows], dict[str, bool]]:
    """On one database: each table by its title; and by what must be true, whether it is."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="skerry-bench-") as name, pages.store(kind, Path(name)) as made:
        migrate_database(made.url, made.password_file)
        database = open_database(made.url, made.password_file)
        pages.fill(0)
        year = _Year(made, Path(name), jobs, requests)
        year.run()
        taken = _sizes(kind, Path(name))
        database.close()
    print(f"{kind}: {jobs} jobs in {(time.monotonic() - begun) / 60:.0f} minutes", file=sys.stderr)
    million_gb = sum(taken.values()) * 1e6 / jobs / 1e9
    worst = max(year.waited["beside the chores"]) * 1000
    slow = [row for row in year.asked if float(str(row["p99 ms after"])) > pages.LIMIT_MS]
    tables = {
        "What they take": _size_rows(taken, jobs),
        "Commits": [_wait_row(when, waited) for when, waited in year.waited.items()],
        "Pages and submissions": year.asked,
    }
    named = {
        f"{kind}: {title[0].lower()}{title[1:]}": [{"database": kind, **row} for row in rows]
        for title, rows in tables.items()
    }
    return named, {
        f"a million jobs take at most {MOST_GB} GB: {million_gb:.2f} GB": million_gb <= MOST_GB,
        f"nobody waits for a chore for longer than {MOST_WAIT_MS:.0f} ms: {worst:.0f} ms": worst <= MOST_WAIT_MS,
        f"99 of 100 answers within {pages.LIMIT_MS:.0f} ms; places that miss it: {len(slow)}": not slow,
    }


class _Year:
    def __init__(self, made: Store, folder: Path, jobs: int, requests: int) -> None:
        self._made = made
        self._folder = folder
        self._jobs = jobs
        self._requests = requests
        self.waited: dict[str, list[float]] = {}
        """How long another connection's commits took, in seconds, by when they were."""
        self.asked: Rows = []

    def run(self) -> None:
        """Go through the year."""
        begin = time.time() - DAYS * DAY_S
        first_logs = begin + (DAYS - 2 * LOGS_DAYS.default) * DAY_S
        lives = Lives(lambda at: at >= first_logs)
        epoch = Leadership("the benchmark").take_over(begin).epoch
        settings = pages.settings_of(self._made, self._folder)
        done = 0
        for slice_ in range(1, SLICES + 1):
            until = self._jobs * slice_ // SLICES
            lives.live([begin + (one + 1) * DAYS * DAY_S / self._jobs for one in range(done, until)])
            done = until
            # So that what has just ended is old enough to be looked at.
            now = begin + slice_ * DAYS * DAY_S / SLICES + 60
            term = Term(epoch, lambda now=now: now)  # type: ignore[misc]
            while number(term):  # as each second: what is not numbered counts as not read
                pass
            before = self._ask() if slice_ == SLICES else []
            with _Others(self.waited.setdefault("beside the chores", [])):
                _chores(settings, term)
            if slice_ % _TOLD == 0:
                print(f"day {slice_ * DAYS // SLICES}: {done} jobs", file=sys.stderr)
        with _Others(self.waited.setdefault("no chore runs", [])):
            time.sleep(_ALONE_S)
        self.asked = _beside(before, self._ask())

    def _ask(self) -> Rows:
        if isinstance(models.database.obj, peewee.MySQLDatabase):
            _analyze()
        with pages.asking(self._made, self._folder) as client:
            return [*pages.measure(client, self._requests), _submit(client, self._requests)]


def _chores(settings: Settings, term: Term) -> None:
    values = Values(settings)
    MovingLogs(settings.share_dir, ()).run(term)
    forget_old_facts(term, values=values, consumers=())
    forget_old_results(term, values=values)
    forget_old_inputs(term, values=values)
    forget_old_logs(term, values=values, consumers=())
    forget_old_rankings(term, values=values)
    forget_old_jobs(term, values=values, consumers=())
    Removing(settings.share_dir, FOLDER, may_go).run(term)


class _Others:
    """Somebody who commits all the time, on a connection of their own."""

    def __init__(self, waited: list[float]) -> None:
        self._waited = waited
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._commit)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *about: object) -> None:
        self._over.set()
        self._thread.join()

    def _commit(self) -> None:
        while not self._over.wait(0.01):
            begun = time.monotonic()
            with transaction():
                User.update(created_at=begun).where(User.id == 1).execute()
            self._waited.append(time.monotonic() - begun)
        models.database.obj.close()


def _submit(client: httpx.Client, requests: int) -> Row:
    times = []
    for _ in range(requests):
        begun = time.perf_counter_ns()
        headers = {"Authorization": "Bearer user3"}
        client.post("/api/v1/jobs", headers=headers, json={"app": "app-3"}).raise_for_status()
        times.append((time.perf_counter_ns() - begun) / 1e6)
    p50, p99 = (round(pages.percentile(times, share), 1) for share in (0.5, 0.99))
    return {"page": "submitting a job", "place": "", "p50 ms": p50, "p99 ms": p99}


def _beside(before: Rows, after: Rows) -> Rows:
    """Each place before the last slice's chores and after them. The number of a far page may differ by a few."""
    known = {(row["page"], row["place"] == "first"): row for row in before}
    pairs = [(known.get((row["page"], row["place"] == "first"), row), row) for row in after]
    return [
        {
            "page": row["page"],
            "place": row["place"],
            "p50 ms before": earlier["p50 ms"],
            "p50 ms after": row["p50 ms"],
            "p99 ms before": earlier["p99 ms"],
            "p99 ms after": row["p99 ms"],
        }
        for earlier, row in pairs
    ]


def _wait_row(when: str, waited: list[float]) -> Row:
    return {
        "when": when,
        "commits": len(waited),
        "p50 ms": round(pages.percentile(waited, 0.5) * 1000, 1),
        "p99 ms": round(pages.percentile(waited, 0.99) * 1000, 1),
        "longest ms": round(max(waited) * 1000, 1),
    }


def _size_rows(taken: dict[str, int], jobs: int) -> Rows:
    """The tables that matter, the largest first, and all together."""
    total = sum(taken.values())
    rows = sorted(((name, size) for name, size in taken.items() if size > total / 200), key=lambda one: -one[1])
    return [
        {"table": name, "MB": round(size / 1e6, 1), "bytes a job": round(size / jobs)}
        for name, size in [*rows, ("all", total)]
    ]


def _analyze() -> None:
    # As the server does by itself in the course of a million jobs.
    names = ", ".join(f"`{table._meta.table_name}`" for table in models.TABLES)
    models.database.obj.execute_sql(f"ANALYZE TABLE {names}").fetchall()


def _sizes(kind: str, folder: Path) -> dict[str, int]:
    """By table, with its indexes, the bytes that it takes; and what is free for the next rows."""
    database = models.database.obj
    if isinstance(database, peewee.MySQLDatabase):
        _analyze()
    found = {str(name): int(size) for name, size in database.execute_sql(_SIZES[kind]).fetchall()}
    if kind == "sqlite":
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        found["free pages"] = (folder / "skerry.sqlite").stat().st_size - sum(found.values())
    return found
