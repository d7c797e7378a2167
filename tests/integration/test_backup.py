"""Copies of a platform's database, written while it works and put in another's place, by a real `skerry-admin`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from support.admin import Admin
from support.mariadb import PrivateMariadb
from support.stores import MARIADB, SQLITE, Store, drop, new_in_mariadb

from webfront.database import models
from webfront.database.models import (
    ApiToken,
    App,
    AppVersion,
    Attempt,
    Fact,
    Job,
    Node,
    Play,
    Session,
    User,
    Webhook,
)
from webfront.database.schema import open_database
from webfront.database.steps import CODE
from webfront.jobs.identifiers import Ulids
from webfront.jobs.strangers import sweep_results
from webfront.secretbox import SecretBox

PASSWORD = secrets.token_urlsafe(30)
NODE = f"n{secrets.token_hex(4)}"


@pytest.fixture
def lived(admin: Admin) -> Iterator[Admin]:
    """A platform with a bit of everything, and its node at the broker."""
    key_file = admin.folder / "secrets.key"
    key_file.touch(mode=0o600)
    key_file.write_text(Fernet.generate_key().decode() + "\n")
    user = User.get()
    Session.create(token_hash="s", user=user, csrf_token="c", created_at=0, expires_at=time.time() + 9999)
    ApiToken.create(token_hash="t", user=user, created_at=0, expires_at=time.time() + 9999)
    app = App.create(name="digits", owner=user, created_at=0)
    version = AppVersion.create(app=app, hash="h" * 64, manifest={}, size=1, uploaded_at=0)
    for number, (state, live) in enumerate([("succeeded", "ended"), ("running", "claimed"), ("queued", "")]):
        job = Job.create(
            id=f"j{number}", app_version=version, user=user, state=state, submitted_at=0, attempts=1 if live else 0,
            parameters={"text": "it's a \"ü\" \\ \n line"}, force_insert=True,
        )  # fmt: skip
        if live:
            Attempt.create(
                job=job, number=1, node=NODE, state=live, placement={}, placed_at=0, claimed_at=1.0, published_at=1.0
            )
    (admin.folder / "apps" / ("h" * 64)).mkdir(parents=True)
    (admin.folder / "results" / "j0" / "1").mkdir(parents=True)
    Webhook.create(user=user, url="https://x.test", key=SecretBox(key_file).seal("k"), created_at=0)
    Play.create(verb="drain", node=NODE, state="running", requested_by="ann", created_at=0)
    admin("node-admit", NODE, "--address", "10.0.0.7", stdin=PASSWORD)
    Node.update(state="active").where(Node.name == NODE).execute()
    yield admin
    admin.api.delete("users", f"node-{NODE}")


@pytest.fixture
def another(lived: Admin, request: pytest.FixtureRequest) -> Iterator[Admin]:
    """A platform that was just set up, whose folders have the paths of the first, which is gone."""
    (lived.folder / "copy").mkdir()
    lived("backup", str(lived.folder / "copy"))
    models.database.close()
    if lived.store.kind == SQLITE:
        store, server = Store(SQLITE, f"sqlite:///{lived.folder}/new.sqlite"), None
    else:
        server = request.getfixturevalue("mariadb")
        store = new_in_mariadb(server)
    fresh = Admin(lived.folder, request.getfixturevalue("broker"), store)
    fresh("init", "--admin", "root", "--password-file", str(lived.folder / "first"))
    yield fresh
    models.database.close()
    if server is not None:
        drop(server, store)


@contextlib.contextmanager
def opened(admin: Admin) -> Iterator[None]:
    with contextlib.closing(open_database(admin.store.url, admin.store.password_file)):
        yield


def copy_of(admin: Admin) -> Path:
    return admin.folder / "copy"


def test_a_copy_becomes_the_platform_and_everyone_signs_in_again(another: Admin) -> None:
    manifest = json.loads((copy_of(another) / "manifest.json").read_text())
    assert manifest["has"] == {"users": 1, "apps": 1, "nodes": 1, "jobs": 3}
    assert manifest["oldest_code"] <= CODE == manifest["schema"]
    for file in copy_of(another).iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
        assert PASSWORD.encode() not in file.read_bytes()
    another.api.delete("users", f"node-{NODE}")

    would = another("restore", str(copy_of(another)), "--check")
    assert would["changed"] is True
    did = another("restore", str(copy_of(another)))
    assert did["ended"] == {"sessions": 1, "tokens": 1, "plays": 1, "open_jobs": 2}
    assert did["has_its_keys"] is True
    assert another("restore", str(copy_of(another)))["changed"] is False
    with opened(another):
        assert [user.name for user in User.select()] == ["ann"]
        assert Session.select().count() == ApiToken.select().count() == 0
        assert Play.get().state == "failed"
        assert Fact.select().where(Fact.kind == "platform.restore").count() == 1
        jobs = {job.id: job for job in Job.select()}
        assert jobs["j0"].parameters == {"text": 'it\'s a "ü" \\ \n line'}
        assert jobs["j0"].attempts == 1
        # Under way when the copy was made: what is heard of it from then on is of another attempt.
        live = Attempt.get(Attempt.job == "j1")
        assert live.number == jobs["j1"].attempts > 10
        assert jobs["j2"].attempts == live.number - 1
    renewed = another("nodes-renew", "--hashes", str(copy_of(another) / "nodes.json"))
    assert NODE in renewed["renewed"]
    # The node's own password is good again.
    assert another("node-admit", NODE, stdin=PASSWORD)["broker_changed"] is False
    seen = another("inspect")
    assert seen["has"]["apps"] == seen["has"]["nodes"] == 1
    assert [line for line in seen["missing"] if "The broker knows a node" not in line] == []


@pytest.mark.stores(SQLITE)
def test_jobs_accepted_after_the_copy_are_named_while_the_share_tells_of_them(another: Admin) -> None:
    before = Ulids(lambda: time.time() - 99).next()
    since, running = Ulids().next(), Ulids().next()
    for folder in (f"inputs/{before}", f"inputs/{since}", f"results/{since}/1", f"results/{running}/1"):
        (another.folder / folder).mkdir(parents=True)
    another("restore", str(copy_of(another)))
    (another.folder / "inputs" / Ulids(lambda: time.time() + 60).next()).mkdir()
    named = [line.split()[2] for line in another("inspect")["missing"] if "accepted after the copy" in line]
    assert named == sorted([since, running])
    with opened(another):
        assert sweep_results(another.folder, time.time()) == 0
        assert sweep_results(another.folder, time.time() + 25 * 3600) == 2
        assert [folder.name for folder in (another.folder / "results").iterdir()] == ["j0"]


@pytest.mark.stores(SQLITE)
def test_what_a_copy_lacks_is_said(another: Admin) -> None:
    (another.folder / "secrets.key").unlink()
    assert another("restore", str(copy_of(another)))["has_its_keys"] is False
    (another.folder / "apps" / ("h" * 64)).rmdir()
    (another.folder / "results" / "j0" / "1").rmdir()
    another.api.delete("users", f"node-{NODE}")
    said = "\n".join(another("inspect")["missing"])
    for words in ("digits hhhhhhhhhhhh", "of the job j0", "webhook 1 of ann", f"does not know the node {NODE}"):
        assert words in said


def test_a_platform_that_is_in_use_is_not_overwritten(lived: Admin) -> None:
    folder = copy_of(lived)
    folder.mkdir()
    lived("backup", str(folder))
    for extra in ((), ("--check",)):
        refused = lived("restore", str(folder), *extra, expect=1)["error"]
        assert "is in use" in refused["message"]
        assert "restore_overwrite" in refused["advice"]
    Job.delete().where(Job.id == "j2").execute()
    models.database.close()
    assert lived("restore", str(folder), "--overwrite")["changed"] is True
    with opened(lived):
        assert Job.select().count() == 3


def edit(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.mark.stores(SQLITE)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: edit(folder, oldest_code=CODE + 1, version="9.9.0"), "needs code of schema"),
        (lambda folder: edit(folder, format=99, version="9.9.0"), "Restore it with that release"),
        (lambda folder: edit(folder, kind="mysql"), "Set webfront_database_url as it was"),
        (lambda folder: edit(folder, share_dir="/elsewhere"), "Set webfront_share_dir as it was"),
        (lambda folder: (folder / "database.sqlite").write_text("x"), "is not what was written there"),
        (lambda folder: (folder / "nodes.json").unlink(), "lacks nodes.json"),
        (lambda folder: (folder / "manifest.json").unlink(), "There is no copy of a platform"),
    ],
)
def test_a_copy_that_cannot_be_taken_is_refused_and_nothing_changes(
    another: Admin, spoil: Callable[[Path], Any], words: str
) -> None:
    spoil(copy_of(another))
    assert words in another("restore", str(copy_of(another)), expect=1)["error"]["message"]
    with opened(another):
        assert [user.name for user in User.select()] == ["root"]


def test_killed_at_any_moment_it_arrives_with_the_next_run(another: Admin) -> None:
    """Killed after a delay that grows until it arrives: what was begun is refused by the platform, and begun anew."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SKERRY_")}
    command = [str(another.command), "restore", str(copy_of(another))]
    deaths, delay = 0, 0.05
    while True:
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
            try:
                process.wait(delay)
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        deaths += 1
        delay *= 1.2
        assert deaths < 60
    assert process.returncode == 0
    assert deaths > 1
    with opened(another):
        assert [user.name for user in User.select()] == ["ann"]
        assert Session.select().count() == 0
        assert Job.select().count() == 3


@pytest.mark.stores(MARIADB)
def test_a_database_that_is_half_restored_is_refused_by_everything(another: Admin, mariadb: PrivateMariadb) -> None:
    name = another.store.url.rpartition("/")[2]
    mariadb.run("CREATE TABLE restoring (id INTEGER)", database=name)
    for command in (("inspect",), ("migrate",), ("node-list",)):
        assert "run restore.yml again" in another(*command, expect=1)["error"]["message"]
    assert another("restore", str(copy_of(another)))["changed"] is True
    assert another("inspect")["has"]["users"] == 1


@pytest.mark.stores(SQLITE)
def test_a_copy_of_an_older_release_is_brought_to_this_ones_schema(another: Admin) -> None:
    older = Path(__file__).resolve().parents[1] / "releases/0.1.0/sqlite.sql"
    file = copy_of(another) / "database.sqlite"
    file.unlink()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(older.read_text())
    manifest = json.loads((copy_of(another) / "manifest.json").read_text())
    manifest["files"]["database.sqlite"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    edit(copy_of(another), files=manifest["files"], oldest_code=1, schema=1)
    assert another("restore", str(copy_of(another)))["changed"] is True
    with opened(another):
        assert User.select().where(User.name == "ada").exists()
        assert Session.select().count() == 0


@pytest.mark.stores(SQLITE)
def test_a_broker_that_is_away_keeps_nothing_else_from_being_saved(lived: Admin) -> None:
    text = lived.env_file.read_text()
    lived.env_file.write_text(text + "SKERRY_BROKER_ADMIN_URL=http://127.0.0.1:9\n")
    copy_of(lived).mkdir()
    [warning] = lived("backup", str(copy_of(lived)))["warnings"]
    assert "The nodes' broker users are not in this copy" in warning
    assert (copy_of(lived) / "manifest.json").exists()
