"""Databases of past releases, made by their own code (tests/releases), under this one's steps.

Where they arrive, what the API says of their rows, that a death between any two statements only delays, that two
migrations do not meet, and that the release can be taken back.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import peewee
import pytest
from support.mariadb import PrivateMariadb
from support.schemas import described
from support.stores import MARIADB, SQLITE, Store, drop, load, migrated, new_in_mariadb

from webfront.application import create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.database import models
from webfront.database.connection import bind_database
from webfront.database.models import Job, SchemaStep, SchemaVersion
from webfront.database.schema import migrate, open_database
from webfront.database.steps import STEPS
from webfront.errors import Unavailable
from webfront.settings import Settings
from wire.broker import BrokerAddress

PROJECT = Path(__file__).resolve().parents[2]
RELEASES = PROJECT / "tests" / "releases"
NUMBERS = {"0.1.0": 1}
"""The number of each release's code."""
TOKENS = {"ada": "a token of ada's for tests", "bob": "a token of bob's for tests"}
PASSWORD = "a rock at sea, far out"

Description = set[tuple[object, ...]]


@pytest.fixture(params=sorted(NUMBERS))
def release(request: pytest.FixtureRequest) -> Path:
    return RELEASES / str(request.param)


@pytest.fixture
def past(release: Path, bare_store: Store) -> Store:
    """The release's database, as it was left."""
    load(bare_store, release / f"{bare_store.kind}.sql")
    return bare_store


@pytest.fixture
def fresh(store: Store) -> Description:
    """The schema of a database that was made today."""
    return describe(store)


def describe(store: Store) -> Description:
    with contextlib.closing(bind_database(store.url, store.password_file)) as database:
        return described(database)


def settings_for(store: Store, folder: Path) -> Settings:
    return Settings(
        state_dir=folder,
        share_dir=folder,
        broker_url="amqp://skerry@127.0.0.1:1/",
        broker_password_file=folder / "none",
        broker_admin_url="http://127.0.0.1:1",
        database_url=store.url,
        database_password_file=store.password_file,
        plays_socket=folder / "plays.sock",
    )


@pytest.fixture
def api(past: Store, tmp_path: Path) -> Iterator[Callable[[str], httpx.Client]]:
    """Makes clients of this code's API, on the past release's database after the steps."""
    migrated(past)
    database = open_database(past.url, past.password_file)
    settings = settings_for(past, tmp_path)
    publisher = Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False)
    transport = httpx.WSGITransport(create_app(settings, services=create_services(settings, publisher)))

    def client(token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(transport=transport, base_url="http://skerry.test/api/v1", headers=headers)

    yield client
    database.close()


def test_a_past_database_arrives_where_a_new_one_begins(past: Store, fresh: Description) -> None:
    assert describe(past) ^ fresh
    migrated(past)
    assert describe(past) ^ fresh == set()
    open_database(past.url, past.password_file).close()


@pytest.mark.stores(MARIADB)
def test_a_database_whose_server_made_it_latin_arrives_too(
    release: Path, bare_store: Store, mariadb: PrivateMariadb, fresh: Description
) -> None:
    name = bare_store.url.rpartition("/")[2]
    dump = (release / "mariadb.sql").read_text().replace("DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", "")
    tables = [line for line in dump.splitlines() if not line.startswith(("INSERT", "LOCK", "UNLOCK"))]
    mariadb.run(f"ALTER DATABASE {name} CHARACTER SET latin1")
    latin = Path(bare_store.password_file or "").with_name(f"{name}.sql")
    latin.write_text("\n".join(tables))
    load(bare_store, latin)
    assert "latin1_swedish_ci" in str(describe(bare_store))
    migrated(bare_store)
    assert describe(bare_store) ^ fresh == set()


def test_every_row_reads_the_same(release: Path, api: Callable[[str], httpx.Client]) -> None:
    recorded: dict[str, dict[str, Any]] = json.loads((release / "answers.json").read_text())
    assert recorded.keys() == TOKENS.keys()
    for user, asked in recorded.items():
        with api(TOKENS[user]) as client:
            for path, expected in asked.items():
                answer = client.get(path)
                assert lacking(expected, {"status": answer.status_code, **answer.json()}, path) == []
    with api("") as client:
        assert client.post("/tokens", json={"user": "ada", "password": PASSWORD}).status_code == 201


def lacking(recorded: Any, now: Any, where: str) -> list[str]:
    """Where an answer does not say what it said. It may say more than it did."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        found = [f"{where}: no {key}" for key in recorded.keys() - now.keys()]
        for key in recorded.keys() & now.keys():
            found += lacking(recorded[key], now[key], f"{where} {key}")
        return found
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        pairs = enumerate(zip(recorded, now, strict=True))
        return [one for number, (was, is_now) in pairs for one in lacking(was, is_now, f"{where} {number}")]
    return [] if recorded == now else [f"{where}: {recorded!r} is now {now!r}"]


CHANGING = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "RENAME")


def kill_after(database: peewee.Database, statements: int) -> None:
    """End this process, as by a power cut, before the database gets one more statement that changes something."""
    execute: Callable[..., Any] = database.execute_sql
    left = statements

    def counted(sql: str, *more: Any) -> Any:
        nonlocal left
        if sql.lstrip().upper().startswith(CHANGING):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        return execute(sql, *more)

    database.execute_sql = counted  # type: ignore[method-assign]


def migrate_and_die(store: Store, after: int) -> bool:
    """Migrate in a process of its own, which is killed after that many changing statements. False if it arrived."""
    child = os.fork()
    if child == 0:
        try:
            database = bind_database(store.url, store.password_file)
            kill_after(database, after)
            migrate(database)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture(params=["new", "past"])
def beginning(request: pytest.FixtureRequest, bare_store: Store) -> Store:
    """A database without a table, and the first release's."""
    if request.param == "past":
        load(bare_store, RELEASES / "0.1.0" / f"{bare_store.kind}.sql")
    return bare_store


def test_a_death_after_any_statement_only_delays(beginning: Store, fresh: Description) -> None:
    deaths = 0
    # SQLite takes a step back with its process, so each death comes a statement later. MariaDB goes on from where it
    # was: there each run is killed after its first statement.
    while migrate_and_die(beginning, deaths if beginning.kind == SQLITE else 1):
        deaths += 1
        assert deaths < 500
        with pytest.raises(Unavailable, match="run `skerry-admin migrate`"):
            open_database(beginning.url, beginning.password_file)
        models.database.close()
    assert deaths > len(STEPS)
    assert describe(beginning) ^ fresh == set()
    with contextlib.closing(open_database(beginning.url, beginning.password_file)):
        assert [step.name for step in SchemaStep.select().order_by(SchemaStep.number)] == [step.name for step in STEPS]
        assert models.Leadership.select().count() == 1
        assert SchemaVersion.select().count() == 1


def test_two_migrations_at_once_work_one_after_the_other(past: Store, tmp_path: Path, fresh: Description) -> None:
    before = describe(past)
    go_read, go_write = os.pipe()
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            database = bind_database(past.url, past.password_file)
            first = STEPS[0]

            def wait(change: Any) -> None:
                os.write(ready_write, b".")
                os.read(go_read, 1)
                first.apply(change)

            applied = migrate(database, [first._replace(apply=wait), *STEPS[1:]])
            os._exit(0 if len(applied) == len(STEPS) else 1)
        except BaseException:
            os._exit(2)
    assert os.read(ready_read, 1) == b"."
    (tmp_path / "password").write_text("unused")
    second = subprocess.Popen(
        [sys.executable, "-m", "webfront.admin", "migrate"], stdout=subprocess.PIPE, cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"], "SKERRY_STATE_DIR": str(tmp_path), "SKERRY_SHARE_DIR": str(tmp_path),
            "SKERRY_BROKER_URL": "amqp://skerry@127.0.0.1:1/", "SKERRY_BROKER_ADMIN_URL": "http://127.0.0.1:1",
            "SKERRY_BROKER_PASSWORD_FILE": str(tmp_path / "password"), **past.environment,
        },
    )  # fmt: skip
    time.sleep(2)
    assert second.poll() is None
    os.write(go_write, b".")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    answer, _ = second.communicate(timeout=60)
    assert json.loads(answer) == {"changed": False, "applied": [], "schema": STEPS[-1].number}
    assert before ^ fresh
    assert describe(past) ^ fresh == set()
    for one in (go_read, go_write, ready_read, ready_write):
        os.close(one)


def test_the_release_can_be_taken_back(release: Path, past: Store, tmp_path: Path) -> None:
    """Its own code runs on the database after the steps, or says in words that it cannot."""
    with zipfile.ZipFile(release / "code.zip") as archive:
        archive.extractall(tmp_path / "code")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "code"), **past.environment}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    migrated(past)
    with contextlib.closing(open_database(past.url, past.password_file)):
        oldest = SchemaVersion.get().number
    asked = run(str(release / "fill.py"), "ask")
    if oldest > NUMBERS[release.name]:
        assert asked.returncode == 1
        assert f"the database has schema {oldest}" in asked.stderr
        return
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == json.loads((release / "answers.json").read_text())
    accepted = json.loads(run(str(release / "fill.py"), "accept").stdout)
    with contextlib.closing(open_database(past.url, past.password_file)):
        assert Job.get_by_id(accepted).parameters == {"of": "a release that was taken back"}


@pytest.mark.stores(MARIADB)
def test_the_steps_make_what_the_models_say_on_mariadb(mariadb: PrivateMariadb, fresh: Description) -> None:
    made = new_in_mariadb(mariadb)
    mariadb.run(f"ALTER DATABASE {made.url.rpartition('/')[2]} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    database: peewee.Database = bind_database(made.url, made.password_file)
    database.create_tables(models.TABLES)
    made_by_models = described(database)
    database.close()
    drop(mariadb, made)
    assert made_by_models ^ fresh == set()
