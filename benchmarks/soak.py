"""What a million finished jobs cost of database with the retention that is shipped, and whom its chores hold up.

The jobs end evenly over a year. Each leaves what a job of four seconds leaves that prints a line every tenth of a
second: its row, an attempt with the ranking of eight nodes, forty chunks of log, three facts. The year is gone through
in slices: their rows are made in bulk, then the leader's chores run with the clock at the slice's end. So the database
is at the end what a year has made of it. While the chores run, another connection commits all the time, and its waits
are told; at the end the pages are asked as by `./bench pages`.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import peewee

from benchmarks import pages
from tests.support.stores import Store
from webfront.activity.numbering import number
from webfront.activity.term import Term
from webfront.apps.deleting import FOLDER, may_go
from webfront.changeable.values import Values
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.models import AppVersion, User
from webfront.database.schema import migrate_database, open_database
from webfront.fleet.states import NodeState
from webfront.jobs.identifiers import first_after
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
from webfront.scheduling.constraints import Candidate, Demand
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.placement import decide
from webfront.scheduling.score import score
from webfront.settings import ScoreSettings, Settings
from wire.messages import Metrics

MOST_GB: Final = 1.2
MOST_WAIT_MS: Final = 1000.0
DAYS: Final = 365
SLICES: Final = 73
LINES: Final = 40
_BATCH: Final = 2000
_LINE: Final = "epoch {:>3}: loss=0.{:0>6} accuracy=0.{:0>6} seconds=0.1{:0>3}"
_CHUNK: Final = "INSERT INTO log_chunk (attempt_id, `first`, `count`, at, text) VALUES (?, ?, 1, ?, ?)"
_FACT: Final = (
    "INSERT INTO fact (batch, at, kind, outcome, `user`, controller, node, app, job, attempt, data) "
    "VALUES (?, ?, ?, 'success', 'user3', ?, ?, 'app-3', ?, ?, ?)"
)
_SIZES: Final = {
    "sqlite": (
        "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY m.tbl_name"
    ),
    "mariadb": (
        "SELECT table_name, data_length + index_length FROM information_schema.tables WHERE table_schema = DATABASE()"
    ),
}

Rows = list[dict[str, object]]


def run(kinds: list[str], jobs: int, requests: int) -> tuple[dict[str, Rows], dict[str, bool]]:
    """Each table by its title; and by what must be true, whether it is."""
    sizes: Rows = []
    waits: Rows = []
    asked: Rows = []
    goals: dict[str, bool] = {}
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="skerry-bench-") as name, pages.store(kind, Path(name)) as made:
            folder = Path(name)
            migrate_database(made.url, made.password_file)
            database = open_database(made.url, made.password_file)
            pages.fill(0)
            waited = _go_through(made, folder, jobs)
            taken = _sizes(kind, folder)
            million_gb = sum(taken.values()) * 1e6 / jobs / 1e9
            sizes += [
                {"database": kind, "table": table, "MB": round(size / 1e6, 1), "bytes a job": round(size / jobs)}
                for table, size in sorted(taken.items(), key=lambda one: -one[1])
                if size > sum(taken.values()) / 200
            ]
            total = sum(taken.values())
            sizes.append({"database": kind, "table": "all", "MB": round(total / 1e6, 1), "bytes a job": total // jobs})
            worst = max(waited) * 1000
            waits.append(
                {
                    "database": kind,
                    "commits": len(waited),
                    "p50 ms": round(pages.percentile(waited, 0.5) * 1000, 1),
                    "p99 ms": round(pages.percentile(waited, 0.99) * 1000, 1),
                    "longest ms": round(worst, 1),
                }
            )
            asked += [{"database": kind, **row} for row in pages.measure(made, folder, requests)]
            goals[f"{kind}: a million jobs take at most {MOST_GB} GB: {million_gb:.2f} GB"] = million_gb <= MOST_GB
            goals[f"{kind}: nobody waits for a chore for longer than {MOST_WAIT_MS:.0f} ms: {worst:.0f} ms"] = (
                worst <= MOST_WAIT_MS
            )
            database.close()
    return {"What they take": sizes, "Commits beside the chores": waits, "Pages": asked}, goals


def _go_through(made: Store, folder: Path, jobs: int) -> list[float]:
    """The year. How long others waited for their commits while chores ran, in seconds."""
    begin = time.time() - DAYS * DAY_S
    chance = random.Random(1)
    users, versions = [user.id for user in User.select()], [version.id for version in AppVersion.select()]
    epoch = Leadership("the benchmark").take_over(begin).epoch
    settings = pages.settings_of(made, folder)
    waited: list[float] = []
    done = 0
    for slice_ in range(SLICES):
        until = jobs * (slice_ + 1) // SLICES
        for start in range(done, until, _BATCH):
            ends = [begin + (one + 1) * DAYS * DAY_S / jobs for one in range(start, min(start + _BATCH, until))]
            _make(ends, start, chance, users, versions)
        done = until
        now = begin + (slice_ + 1) * DAYS * DAY_S / SLICES
        # So that what has just ended is old enough to be looked at.
        with _Others(waited):
            _chores(settings, Term(epoch, lambda now=now: now + 60))  # type: ignore[misc]
        print(f"day {round((now - begin) / DAY_S)}: {done} jobs", file=sys.stderr)
    return waited


def _chores(settings: Settings, term: Term) -> None:
    values = Values(settings)
    number(term)  # as each second: what is not numbered counts as not read
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


def _make(ends: list[float], start: int, chance: random.Random, users: list[int], versions: list[int]) -> None:
    database = models.database.obj
    placement = msgspec.json.encode(decide(Demand(), _nodes(chance))).decode()
    jobs, attempts, facts = [], [], []
    for at in ends:
        job = f"{first_after(at - 5)[:10]}{pages.ulid(0, chance.getrandbits(79))[10:]}"
        state, cause = pages.end(chance)
        whose = (chance.choice(versions), chance.choice(users))
        jobs.append((job, *whose, state.value, '{"threshold": "0.5"}', 1, cause, at - 5, at))
        node = f"node-{chance.randrange(pages.NODES)}"
        attempts.append((job, node, "ended", placement, at - 5, at - 5, at - 5, at - 4, at, cause))
        batch = start // 150 + 1
        facts += [
            (batch, at - 5, "job.submit", "api.jobs", "", job, None, None),
            (batch, at, "attempt.end", "", node, job, 1, '{"cause":"ok"}'),
            (batch, at, "job.end", "", "", job, None, '{"state":"succeeded","cause":"ok"}'),
        ]
    with database.atomic():
        cursor = database.cursor()

        def write(sql: str, rows: list[Any]) -> None:
            cursor.executemany(sql.replace("?", database.param), rows)

        write(pages.JOB, jobs)
        write(pages.ATTEMPT, attempts)
        write(_FACT, facts)
        cursor.execute("SELECT MAX(id) FROM attempt")
        (last,) = cursor.fetchone()
        first = last - len(attempts) + 1
        write(_CHUNK, list(_said(first, ends, chance)))


def _said(first: int, ends: list[float], chance: random.Random) -> Iterator[tuple[int, int, float, str]]:
    for attempt, at in enumerate(ends, first):
        for line in range(1, LINES + 1):
            drawn = (chance.randrange(10**6), chance.randrange(10**6), chance.randrange(1000))
            yield attempt, line, at - 4 + line / 10, _LINE.format(line, *drawn)


def _nodes(chance: random.Random) -> list[Candidate]:
    return [
        Candidate(
            name=f"node-{number}",
            state=NodeState.ACTIVE,
            labels=(),
            arch="x86_64",
            slots=2,
            live=0,
            room=3,
            score=score(
                Metrics(
                    cpu_count=4,
                    free_cpu_percent=100 * chance.random(),
                    memory_gb=16.0,
                    free_memory_gb=16 * chance.random(),
                    free_memory_percent=100 * chance.random(),
                    events_per_second=1000 * chance.random(),
                    temperature_c=40 + 10 * chance.random(),
                ),
                ScoreSettings(),
            ),
        )
        for number in range(pages.NODES)
    ]


def _sizes(kind: str, folder: Path) -> dict[str, int]:
    """By table, with its indexes, the bytes that it takes; and what is free for the next rows."""
    database = models.database.obj
    if isinstance(database, peewee.MySQLDatabase):
        names = ", ".join(f"`{table._meta.table_name}`" for table in models.TABLES)
        database.execute_sql(f"ANALYZE TABLE {names}").fetchall()
    found = {str(name): int(size) for name, size in database.execute_sql(_SIZES[kind]).fetchall()}
    if kind == "sqlite":
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        found["free pages"] = (folder / "skerry.sqlite").stat().st_size - sum(found.values())
    return found
