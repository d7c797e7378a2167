"""Applying the steps to a database, and refusing one that this code cannot run on.

The database records which steps were applied (`schema_step`), and how old the code may be that runs on it
(`schema_version`). Order, so that a death between any two statements leaves nothing wrong: the oldest code is raised
first, so that code which the step would break is refused from then on; the step's own statements, each of which may
come again; then the step is recorded. SQLite does all of it in one transaction; MySQL commits each statement, and the
next run goes on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import peewee

from webfront.database.change import Change
from webfront.database.connection import bind_database, sqlite_file, transaction
from webfront.database.models import SchemaStep, SchemaVersion
from webfront.database.steps import CODE, STEPS, Step
from webfront.errors import Unavailable

_log = logging.getLogger(__name__)

_FIRST: Final = 1
"""The oldest code there is: release 0.1.0's."""
_ADVICE: Final = "run `skerry-admin migrate`"

RESTORING: Final = "restoring"
"""The table that a database has while a copy is being put into it (`webfront.database.copying`)."""


def open_database(url: str, password_file: Path | None = None) -> peewee.Database:
    """Bind the tables to the database at `url`. `Unavailable` when it cannot be used, or not by this code."""
    database = bind_database(url, password_file)
    with _our_errors():
        check(database)
    return database


def migrate_database(url: str, password_file: Path | None = None) -> list[str]:
    """Apply the steps that the database at `url` lacks, and close it again. See `migrate`."""
    database = bind_database(url, password_file)
    with _our_errors(), contextlib.closing(database):
        _refuse_half_restored(database)
        return migrate(database)


def pending_steps(url: str, password_file: Path | None = None) -> list[str]:
    """The names of the steps that `migrate_database` would apply to the database at `url`. Nothing is changed."""
    path = sqlite_file(url)
    if path is not None and not path.exists():
        # Connecting would make the file.
        return [step.name for step in STEPS]
    database = bind_database(url, password_file)
    with _our_errors(), contextlib.closing(database):
        known = _applied(database)
        return [step.name for step in STEPS if step.number not in known]


def oldest_code(database: peewee.Database) -> int:
    """The number of the oldest code that can run on the database."""
    version = SchemaVersion.select().first()
    return _FIRST if version is None else int(version.number)


def check(database: peewee.Database) -> None:
    """Raise `Unavailable` unless this code can run on the database as it is."""
    _refuse_half_restored(database)
    if not database.table_exists("schema_version"):
        raise Unavailable(f"the database has no tables of Skerry yet: {_ADVICE}")
    _refuse_older_code(oldest_code(database))
    known = _applied(database)
    lacking = [step.name for step in STEPS if step.number not in known]
    if lacking:
        raise Unavailable(f"the database lacks the step{'s' * (len(lacking) > 1)} {', '.join(lacking)}: {_ADVICE}")


def migrate(database: peewee.Database, steps: Sequence[Step] = STEPS) -> list[str]:
    """Apply the steps that the database lacks, in their order. Returns their names.

    Of two that are started at once, one works and the other waits, and finds nothing left to do. Raises `Unavailable`
    when the database asks for newer code than this, and peewee's errors.
    """
    with _alone(database):
        change = Change(database)
        _make_records(change)
        oldest = SchemaVersion.get().number
        _refuse_older_code(oldest)
        known = _applied(database)
        missing = [step for step in steps if step.number not in known]
        for step in missing:
            _log.info("applying the step %s to the database", step.name)
            if step.oldest_code > oldest:
                oldest = step.oldest_code
                SchemaVersion.update(number=oldest).execute()
            step.apply(change)
            SchemaStep.create(number=step.number, name=step.name, oldest_code=step.oldest_code, applied_at=time.time())
        if missing and not change.on_mysql and change.rows("PRAGMA foreign_key_check"):
            raise Unavailable("the database has rows that refer to others which are not there; nothing was changed")
    return [step.name for step in missing]


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except peewee.PeeweeException as error:
        raise Unavailable(f"the database cannot be used: {error}") from error


def _make_records(change: Change) -> None:
    change.create_table("schema_version", {"number": peewee.IntegerField()})
    change.create_table(
        "schema_step",
        {
            "number": peewee.IntegerField(primary_key=True),
            "name": peewee.CharField(64),
            "oldest_code": peewee.IntegerField(),
            "applied_at": peewee.DoubleField(),
        },
    )
    if not change.rows("SELECT id FROM schema_version"):
        change.execute("INSERT INTO schema_version (number) VALUES (?)", _FIRST)


def _applied(database: peewee.Database) -> set[int]:
    if not database.table_exists("schema_step"):
        return set()
    return {step.number for step in SchemaStep.select()}


def _refuse_half_restored(database: peewee.Database) -> None:
    if database.table_exists(RESTORING):
        raise Unavailable(
            "a copy was being put into the database, and that was cut off: run restore.yml again, which begins it anew"
        )


def _refuse_older_code(oldest: int) -> None:
    if oldest > CODE:
        raise Unavailable(
            f"a newer release has changed the database: it needs code of schema {oldest} or later, and this is {CODE}; "
            "install that release again, or restore the backup made before it"
        )


@contextlib.contextmanager
def _alone(database: peewee.Database) -> Iterator[None]:
    """With no other migration at work on this database."""
    if isinstance(database, peewee.MySQLDatabase):
        with _named_lock(database):
            yield
        return
    # SQLite rebuilds a table by making another and dropping the first, which is not to delete what refers to it.
    database.execute_sql("PRAGMA foreign_keys = 0")
    try:
        with transaction():
            yield
    finally:
        database.execute_sql("PRAGMA foreign_keys = 1")


@contextlib.contextmanager
def _named_lock(database: peewee.MySQLDatabase) -> Iterator[None]:
    # The server's names are for all its databases, and at most 64 characters. It frees one whose connection is gone.
    name = "skerry " + hashlib.sha256(database.database.encode()).hexdigest()[:32]
    while not database.execute_sql("SELECT GET_LOCK(%s, 60)", (name,)).fetchone()[0]:
        _log.info("another migration of the database is at work; waiting for it")
    try:
        yield
    finally:
        database.execute_sql("SELECT RELEASE_LOCK(%s)", (name,))
