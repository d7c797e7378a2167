"""Copies of the whole database: one is written while the platform works, and one is put in the place of what is there.

`write_copy` gives a moment's state: SQLite by its own online backup, MariaDB and MySQL by `mariadb-dump` in one
transaction. The file has its name once it is whole and on the disk.

`put_in_place`, in an order that leaves no half database to be worked on, whatever line it dies on:

- SQLite: the copy is prepared in a file beside, and then written over the database in one transaction of SQLite's.
- MariaDB commits each statement by itself. So the table `restoring` is made first, and every process refuses a database
  that has it (`webfront.database.schema`); it is dropped when all else is done. The next run begins anew.

Prepared means: the copy has the schema of this code, and `settle` has done its work on it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import peewee

from webfront.database.connection import bind_database, sqlite_file
from webfront.database.schema import RESTORING, migrate
from webfront.errors import Unavailable

SQLITE: Final = "sqlite"
MYSQL: Final = "mysql"

_WORKING_TABLES: Final = {"app": 0, "node": 0, "job": 0, "user": 1}
"""How many rows each has on a platform that nobody has used yet: the first user is made when it is set up."""


def kind_of(url: str) -> str:
    """`sqlite` or `mysql`, which is MariaDB too: a copy of one cannot be put into the other."""
    return MYSQL if sqlite_file(url) is None else SQLITE


def write_copy(url: str, password_file: Path | None, to: Path) -> None:
    """Write a copy of the database as it is at one moment. Raises `Unavailable`."""
    half = to.with_name(f".{to.name}.half")
    half.unlink(missing_ok=True)
    os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    path = sqlite_file(url)
    if path is not None:
        _copy_sqlite(path, half)
    else:
        with half.open("wb") as file, _defaults(url, password_file) as defaults:
            command = [
                _program("mariadb-dump", "mysqldump"),
                f"--defaults-file={defaults}",
                "--single-transaction",
                "--quick",
                "--hex-blob",
                "--no-tablespaces",
                "--skip-comments",
                "--default-character-set=utf8mb4",
                _name(url),
            ]
            _run(command, output=file)
    with half.open("rb") as file:
        os.fsync(file.fileno())
    half.replace(to)


def put_in_place(url: str, password_file: Path | None, copy: Path, settle: Callable[[], None]) -> None:
    """Have the copy's rows in the place of all that the database has. Nothing else may use it. Raises `Unavailable`."""
    path = sqlite_file(url)
    if path is not None:
        _put_sqlite(path, copy, settle)
    else:
        _put_mysql(url, password_file, copy, settle)


def is_used(url: str, password_file: Path | None) -> bool:
    """Whether somebody has worked with the platform whose database this is, whatever its schema."""
    path = sqlite_file(url)
    if path is not None and not path.exists():
        return False
    with contextlib.closing(bind_database(url, password_file)) as database:
        if database.table_exists(RESTORING):
            return False
        for table, of_a_new_one in _WORKING_TABLES.items():
            if not database.table_exists(table):
                continue
            count = f"SELECT COUNT(*) FROM (SELECT 1 FROM `{table}` LIMIT {of_a_new_one + 1}) AS found"  # noqa: S608
            if database.execute_sql(count).fetchone()[0] > of_a_new_one:
                return True
    return False


def _copy_sqlite(source: Path, to: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=30)) as one,
            contextlib.closing(sqlite3.connect(to)) as other,
        ):
            # All pages in one step: a step that waits would begin anew with each change by another connection.
            one.backup(other)
    except sqlite3.Error as error:
        raise Unavailable(f"the database {source} cannot be copied: {error}") from error


def _put_sqlite(path: Path, copy: Path, settle: Callable[[], None]) -> None:
    beside = path.with_name(f"{path.name}.restoring")
    _forget(beside)
    shutil.copyfile(copy, beside)
    with contextlib.closing(bind_database(f"sqlite:///{beside}")) as database:
        migrate(database)
        settle()
    try:
        with (
            contextlib.closing(sqlite3.connect(beside)) as one,
            contextlib.closing(sqlite3.connect(path, timeout=30)) as other,
        ):
            # One transaction of the database that is written over: killed in it, that one stands as it was.
            one.backup(other)
    except sqlite3.Error as error:
        raise Unavailable(
            f"the copy cannot be written over {path}: {error}. Stop the web front, the scheduler and the plays first"
        ) from error
    path.chmod(0o600)
    _forget(beside)


def _forget(beside: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-turn"):
        beside.with_name(beside.name + suffix).unlink(missing_ok=True)


def _put_mysql(url: str, password_file: Path | None, copy: Path, settle: Callable[[], None]) -> None:
    with contextlib.closing(bind_database(url, password_file)) as database:
        database.execute_sql(f"CREATE TABLE IF NOT EXISTS {RESTORING} (id INTEGER)")
        _drop_tables(database)
        database.close()
        with copy.open("rb") as file, _defaults(url, password_file) as defaults:
            client = _program("mariadb", "mysql")
            _run([client, f"--defaults-file={defaults}", "--default-character-set=utf8mb4", _name(url)], source=file)
        database.connect(reuse_if_open=True)
        migrate(database)
        settle()
        database.execute_sql(f"DROP TABLE {RESTORING}")


def _drop_tables(database: peewee.Database) -> None:
    database.execute_sql("SET SESSION foreign_key_checks = 0")
    for table in database.get_tables():
        if table != RESTORING:
            database.execute_sql(f"DROP TABLE IF EXISTS `{table}`")
    database.execute_sql("SET SESSION foreign_key_checks = 1")


@contextlib.contextmanager
def _defaults(url: str, password_file: Path | None) -> Iterator[Path]:
    """A file of the client's options with the password in it, for this user alone: in an argument all could read it."""
    parts = urllib.parse.urlsplit(url)
    password = password_file.read_text(encoding="utf-8").strip() if password_file is not None else ""
    options = {
        "host": parts.hostname or "localhost",
        "port": str(parts.port or 3306),
        "user": urllib.parse.unquote(parts.username or ""),
        "password": password,
    }
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in options.items()}
    lines = ["[client]", *(f'{name}="{value}"' for name, value in quoted.items())]
    # As the platform's own connections: encrypted where the server offers it, by whatever certificate it has.
    lines += ["protocol=tcp", "loose-ssl-verify-server-cert=0"]
    with tempfile.NamedTemporaryFile("w", prefix="skerry-", suffix=".cnf", encoding="utf-8") as file:
        Path(file.name).chmod(0o600)
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)


def _name(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.lstrip("/"))


def _program(*names: str) -> str:
    for name in names:
        if (found := shutil.which(name)) is not None:
            return found
    raise Unavailable(f"there is no program {names[0]} here: install the package mariadb-client")


def _run(command: list[str], *, source: object = subprocess.DEVNULL, output: object = subprocess.DEVNULL) -> None:
    done = subprocess.run(command, stdin=source, stdout=output, stderr=subprocess.PIPE, check=False)  # type: ignore[call-overload]
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()
        raise Unavailable(f"{Path(command[0]).name} failed: {words[-1000:] or f'exit status {done.returncode}'}")
