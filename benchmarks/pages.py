"""How long the lists of jobs and the home page take among a million finished jobs, on SQLite and on a real MariaDB.

The whole application answers, in this process, over WSGI: sign-in, services, queries, rendering. The rows are made in
bulk, since to run a million jobs would take an hour; the queries do not know.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import peewee

from tests.support.mariadb import PrivateMariadb
from tests.support.stores import SQLITE, Store, new_in_mariadb
from webfront.application import create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.database import models
from webfront.database.models import ApiToken, App, AppVersion, Node, User
from webfront.database.schema import migrate_database, open_database
from webfront.fleet.states import NodeState
from webfront.jobs.states import AttemptState, JobState
from webfront.settings import Settings
from wire.broker import BrokerAddress
from wire.messages import Cause

LIMIT_MS: Final = 50.0
PAGE: Final = 50
FAR: Final = 1000
USERS, APPS, VERSIONS, NODES, LIVE = 10, 10, 5, 8, 60
_BATCH: Final = 5000
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NOW: Final = 1_767_225_600.0
_MANIFEST: Final = {"name": "app", "entrypoint": "main.py"}
JOB: Final = (
    "INSERT INTO job (id, app_version_id, user_id, state, priority, input, parameters, attempts, cause, message, "
    "cancel_requested, excluded_nodes, waiting_reason, submitted_at, finished_at) "
    "VALUES (?, ?, ?, ?, 0, NULL, ?, ?, ?, '', 0, '[]', '', ?, ?)"
)
ATTEMPT: Final = (
    "INSERT INTO attempt (job_id, number, node, state, placement, published_at, placed_at, claimed_at, preparing, "
    "started_at, ended_at, cause, message, exit_code, outputs, log_lines) "
    "VALUES (?, 1, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, '', 0, '[]', 3)"
)
_PLACEMENT: Final = '{"node": "node-1", "considered": 8, "sentence": "node-1 won: it scores highest", "ranking": []}'


class Case(NamedTuple):
    """One page, as somebody asks for it."""

    words: str
    user: str
    path: str
    where: str = ""
    """What the thousandth page of this list has in common; empty where there is only one page."""


def cases() -> list[Case]:
    own = "user_id = (SELECT id FROM `user` WHERE name = 'user3')"
    app = "app_version_id IN (SELECT v.id FROM app_version v JOIN app a ON a.id = v.app_id WHERE a.name = 'app-3')"
    api = f"/api/v1/jobs?limit={PAGE}"
    return [
        Case("every job", "admin", api, "1 = 1"),
        Case("by state: succeeded", "admin", f"{api}&state=succeeded", "state = 'succeeded'"),
        Case("by state: failed", "admin", f"{api}&state=failed", "state = 'failed'"),
        Case("by state: queued", "admin", f"{api}&state=queued"),
        Case("by app", "admin", f"{api}&app=app-3", app),
        Case("a user's own", "user3", api, own),
        Case("a user's own by state: failed", "user3", f"{api}&state=failed", f"{own} AND state = 'failed'"),
        Case("a user's own by app", "user3", f"{api}&app=app-3", f"{own} AND {app}"),
        Case("the page of jobs", "admin", "/jobs?", "1 = 1"),
        Case("the page of an app", "admin", "/apps/app-3"),
        Case("the page of a node", "admin", "/nodes/node-3"),
        Case("the home page, an administrator's", "admin", "/"),
        Case("the home page, a user's", "user3", "/"),
    ]


def run(kinds: list[str], jobs: int, requests: int) -> list[dict[str, object]]:
    """A row of figures for each database, page and place in its list."""
    table: list[dict[str, object]] = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="skerry-bench-") as folder, store(kind, Path(folder)) as made:
            migrate_database(made.url, made.password_file)
            database = open_database(made.url, made.password_file)
            begun = time.monotonic()
            fill(jobs)
            print(f"{kind}: {jobs} jobs made in {time.monotonic() - begun:.0f} s", file=sys.stderr)
            with asking(made, Path(folder)) as client:
                for row in measure(client, requests):
                    table.append({"database": kind, **row})
                    print(" ".join(str(cell) for cell in table[-1].values()), file=sys.stderr)
            database.close()
    return table


@contextmanager
def store(kind: str, folder: Path) -> Iterator[Store]:
    if kind == SQLITE:
        yield Store(SQLITE, f"sqlite:///{folder}/skerry.sqlite")
        return
    server = PrivateMariadb(folder / "mariadb")
    server.start()
    try:
        yield new_in_mariadb(server)
    finally:
        server.kill()


def fill(jobs: int) -> None:
    """Users, apps and nodes, so many finished jobs with an attempt each, and a few that wait or run."""
    chance = random.Random(1)
    for name in ("admin", *(f"user{number}" for number in range(USERS))):
        user = User.create(name=name, password_hash="-", is_admin=name == "admin", created_at=_NOW)
        token_hash = hashlib.sha256(name.encode()).hexdigest()
        ApiToken.create(token_hash=token_hash, user=user, created_at=_NOW, expires_at=_NOW * 2)
    versions = []
    for number in range(APPS):
        app = App.create(name=f"app-{number}", owner=1, created_at=_NOW)
        for _ in range(VERSIONS):
            digest = f"{chance.getrandbits(256):064x}"
            made = AppVersion.create(app=app, hash=digest, manifest=_MANIFEST, size=1, uploaded_at=_NOW)
            versions.append(made.id)
    for number in range(NODES):
        Node.create(
            name=f"node-{number}", state=NodeState.ACTIVE, connection="local", address="localhost", created_at=_NOW
        )
    users = [user.id for user in User.select()]
    if isinstance(models.database.obj, peewee.MySQLDatabase):
        models.database.execute_sql("SET SESSION foreign_key_checks = 0, unique_checks = 0")
    database = models.database.obj
    job_sql, attempt_sql = (sql.replace("?", database.param) for sql in (JOB, ATTEMPT))
    for begin in range(0, jobs + LIVE, _BATCH):
        job_rows, attempt_rows = [], []
        for number in range(begin, min(begin + _BATCH, jobs + LIVE)):
            job, attempt = _rows(number, number >= jobs, chance, users, versions)
            job_rows.append(job)
            if attempt is not None:
                attempt_rows.append(attempt)
        with database.atomic():
            cursor = database.cursor()
            cursor.executemany(job_sql, job_rows)
            cursor.executemany(attempt_sql, attempt_rows)
    if isinstance(database, peewee.MySQLDatabase):
        # As the server does by itself in the course of a million jobs. SQLite never does, unless it is asked.
        database.execute_sql("ANALYZE TABLE job, attempt")


def _rows(
    number: int, live: bool, chance: random.Random, users: list[int], versions: list[int]
) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    at = _NOW + number
    job_id = ulid(int(at * 1000), chance.getrandbits(79))
    state, cause = end(chance) if not live else (JobState.QUEUED if number % 2 else JobState.RUNNING, None)
    over = at + 2.5 if not live else None
    job = (
        job_id, chance.choice(versions), chance.choice(users), state.value, '{"threshold": "0.5"}',
        0 if state is JobState.QUEUED else 1, cause, at, over,
    )  # fmt: skip
    if state is JobState.QUEUED:
        return job, None
    attempt_state = AttemptState.RUNNING if live else AttemptState.ENDED
    node = f"node-{chance.randrange(NODES)}"
    return job, (job_id, node, attempt_state.value, _PLACEMENT, at, at, at, at + 1, over, cause)


def end(chance: random.Random) -> tuple[JobState, str]:
    drawn = chance.random()
    if drawn < 0.9:
        return JobState.SUCCEEDED, Cause.OK.value
    return (JobState.FAILED, Cause.APP_ERROR.value) if drawn < 0.98 else (JobState.CANCELLED, Cause.CANCELLED.value)


def ulid(milliseconds: int, bits: int) -> str:
    value = milliseconds << 80 | bits
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def settings_of(made: Store, folder: Path) -> Settings:
    return Settings(
        state_dir=folder,
        share_dir=folder,
        broker_url="amqp://skerry@127.0.0.1:1/",
        broker_password_file=folder / "none",
        broker_admin_url="http://127.0.0.1:1",
        database_url=made.url,
        database_password_file=made.password_file,
    )


@contextmanager
def asking(made: Store, folder: Path) -> Iterator[httpx.Client]:
    """Whom the whole application answers."""
    settings = settings_of(made, folder)
    publisher = Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False)
    transport = httpx.WSGITransport(create_app(settings, services=create_services(settings, publisher)))
    with httpx.Client(transport=transport, base_url="http://skerry.test") as client:
        yield client


def measure(client: httpx.Client, requests: int) -> Iterator[dict[str, object]]:
    for case in cases():
        places = [("first", case.path)]
        if case.where:
            places += [(f"{page}th", f"{case.path}&before={last}") for page, last in _far(case.where)]
        for place, path in places:
            times = [_ask(client, case.user, path) for _ in range(requests + 5)][5:]
            yield {
                "page": case.words,
                "place": place,
                "p50 ms": round(percentile(times, 0.5), 1),
                "p99 ms": round(percentile(times, 0.99), 1),
                f"p99 within {LIMIT_MS:.0f} ms": "yes" if percentile(times, 0.99) < LIMIT_MS else "NO",
            }


def _far(where: str) -> list[tuple[int, str]]:
    """The number of the thousandth page, or of the last where there are fewer, and the job that it comes after.

    None where all are on the first page.
    """
    database = models.database.obj
    (count,) = database.execute_sql(f"SELECT COUNT(*) FROM job WHERE {where}").fetchone()
    page = min(FAR, max(2, count // PAGE))
    sql = f"SELECT id FROM job WHERE {where} ORDER BY id DESC LIMIT 1 OFFSET {(page - 1) * PAGE - 1}"
    return [(page, last) for (last,) in database.execute_sql(sql).fetchall()]


def _ask(client: httpx.Client, user: str, path: str) -> float:
    begun = time.perf_counter_ns()
    answer = client.get(path, headers={"Authorization": f"Bearer {user}"})
    took = (time.perf_counter_ns() - begun) / 1e6
    answer.raise_for_status()
    return took


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
