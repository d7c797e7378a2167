"""The databases that tests run on: a file of SQLite's, or a database of a private MariaDB."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shutil
import sqlite3
import subprocess
import urllib.parse
from pathlib import Path

from .mariadb import PrivateMariadb

SQLITE = "sqlite"
MARIADB = "mariadb"
KINDS = (SQLITE, MARIADB)


@dataclasses.dataclass(frozen=True)
class Store:
    """A database that one test has for itself."""

    kind: str
    url: str
    password_file: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which a process finds it."""
        found = {"SKERRY_DATABASE_URL": self.url}
        if self.password_file is not None:
            found["SKERRY_DATABASE_PASSWORD_FILE"] = str(self.password_file)
        return found


def new_in_mariadb(server: PrivateMariadb) -> Store:
    """A database without a table."""
    name = f"skerry_{secrets.token_hex(6)}"
    server.run(f"CREATE DATABASE {name}")
    return Store(MARIADB, server.url(name), server.password_file)


def drop(server: PrivateMariadb, store: Store) -> None:
    server.run(f"DROP DATABASE {store.url.rpartition('/')[2]}")


def migrated(store: Store) -> Store:
    """The same, with the schema."""
    from webfront.database.schema import migrate_database

    migrate_database(store.url, store.password_file)
    return store


class Shelf:
    """Databases with the schema, one of each kind, made once and then handed out empty: to make one takes a while."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "made.sqlite"
        self._database: Store | None = None

    def file(self, wanted: Path) -> Store:
        """An empty one at `wanted`."""
        if not self._file.exists():
            migrated(Store(SQLITE, f"sqlite:///{self._file}"))
        shutil.copyfile(self._file, wanted)
        return Store(SQLITE, f"sqlite:///{wanted}")

    def database(self, server: PrivateMariadb) -> Store:
        """The one database of this server, without what the test before left in it."""
        if self._database is None:
            self._database = migrated(new_in_mariadb(server))
            return self._database
        from webfront.database import models

        name = self._database.url.rpartition("/")[2]
        kept = {"schema_version", "schema_step", "leadership"}
        names = [table._meta.table_name for table in models.TABLES]
        server.run(
            "SET foreign_key_checks = 0",
            *[f"DELETE FROM `{one}`" for one in names if one not in kept],
            "UPDATE leadership SET epoch = 0, holder = '', since = 0",
            database=name,
        )
        return self._database


def load(store: Store, dump: Path) -> None:
    """Fill an empty database with what SQLite or `mariadb-dump` has written out."""
    if store.kind == SQLITE:
        with contextlib.closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(dump.read_text())
        return
    parts = urllib.parse.urlsplit(store.url)
    assert store.password_file is not None
    subprocess.run(
        ["mariadb", "--no-defaults", f"--host={parts.hostname}", f"--port={parts.port}", f"--user={parts.username}",
         "--default-character-set=utf8mb4", parts.path.lstrip("/")],
        env={"PATH": os.environ["PATH"], "MYSQL_PWD": store.password_file.read_text()},
        input=dump.read_bytes(), check=True,
    )  # fmt: skip
