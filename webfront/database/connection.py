"""Connections to the database, and transactions. SQLite and MySQL behave alike behind this module."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import peewee
from playhouse.pool import PooledMySQLDatabase
from pymysql.constants import CLIENT, ER

from webfront.database import models
from webfront.database.stopped import Watch
from webfront.errors import Unavailable

R = TypeVar("R")

_BUSY_TIMEOUT_MS: Final = 10_000
_TRIES: Final = 5

TROUBLE: Final = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError)
"""The database, not what it was asked: the same may succeed later."""

_turns = threading.local()
"""This thread's open file of the lock that gives writers their turn; a lock belongs to an open file, not a process."""


class _TurnFile:
    """Closed when its thread is gone."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.descriptor = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __del__(self) -> None:
        os.close(self.descriptor)


_watches: Final[dict[tuple[int, str], Watch]] = {}
_watches_guard = threading.Lock()

_waiting = threading.local()
"""What this thread's transaction is followed by."""


def bind_database(url: str, password_file: Path | None = None) -> peewee.Database:
    """Connect, and bind the tables to the database at `url`, whatever its schema is.

    `sqlite:////absolute/path` or `mysql://user@host:port/name`. Connections are one per thread. Raises `Unavailable`.
    """
    connection = _database(url, password_file)
    models.database.initialize(connection)
    try:
        connection.connect(reuse_if_open=True)
    except peewee.PeeweeException as error:
        raise Unavailable(f"the database cannot be used: {error}") from error
    return connection


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database at `url`; None for another database."""
    parts = urllib.parse.urlsplit(url)
    return Path(urllib.parse.unquote(parts.path)) if parts.scheme == "sqlite" else None


@contextlib.contextmanager
def transaction(*, hurried: bool = False) -> Iterator[None]:
    """All or nothing. On SQLite the write lock is taken at once, so that a read in it cannot be overtaken.

    `hurried`: there, a process that is stopped while it holds that lock is ended sooner (`webfront.database.stopped`).
    """
    database = models.database.obj
    calls = _calls()
    outermost, before = not database.in_transaction(), len(calls)
    try:
        if isinstance(database, peewee.SqliteDatabase):
            with contextlib.ExitStack() as turn:
                _begin(database, turn, hurried=hurried)
                yield
        else:
            with database.atomic():
                yield
    except BaseException as error:
        del calls[before:]
        why = _why(error)
        if why is error:
            raise
        raise why from None
    if outermost:
        due, calls[:] = calls[:], []
        for call in due:
            call()


def _why(error: BaseException) -> BaseException:
    """What a transaction failed by. SQLite itself undoes one that meets a full disk; that peewee cannot hides why."""
    found: BaseException | None = error
    while found is not None and "no transaction is active" in str(found):
        found = found.__context__
    return found if isinstance(found, peewee.PeeweeException) else error


def is_full(error: BaseException) -> bool:
    """Whether the database has no room: its disk is full, or a table has reached what it may hold."""
    code = error.args[0] if error.args else None
    # 28 is the system's own number, which MariaDB hands on within its error 3 or alone.
    return code in {ER.DISK_FULL, ER.RECORD_FILE_FULL} or "disk is full" in str(error) or "Errcode: 28" in str(error)


def despite_deadlocks(work: Callable[[], R]) -> R:
    """Do the work, a transaction or a statement, and do it again where a deadlock has undone it: five times at most.

    MySQL alone has them, and ends one so that the others can go on. SQLite lets one writer in at a time.
    """
    for _ in range(_TRIES - 1):
        try:
            return work()
        except peewee.OperationalError as error:
            if ER.LOCK_DEADLOCK not in error.args:
                raise
    return work()


def after_commit(call: Callable[[], None]) -> None:
    """Have this called once the transaction under way is committed; never, if it comes to nothing."""
    _calls().append(call)


def _calls() -> list[Callable[[], None]]:
    if not hasattr(_waiting, "calls"):
        _waiting.calls = []
    found: list[Callable[[], None]] = _waiting.calls
    return found


def _begin(database: peewee.SqliteDatabase, turn: contextlib.ExitStack, *, hurried: bool) -> None:
    """Begin a transaction that may write, and have its end on `turn`."""
    if database.database == ":memory:" or database.in_transaction():
        turn.enter_context(database.atomic("IMMEDIATE"))
        return
    with _watch(database).waiting(hurried=hurried):
        turn.enter_context(_turn(database))
        turn.enter_context(database.atomic("IMMEDIATE"))


def _watch(database: peewee.SqliteDatabase) -> Watch:
    """This process's watch over the database; a fork has no threads of its parent's, and so has its own."""
    key = (os.getpid(), str(database.database))
    found = _watches.get(key)
    if found is None:
        with _watches_guard:
            found = _watches.get(key) or _watches.setdefault(key, Watch(key[1]))
    return found


@contextlib.contextmanager
def _turn(database: peewee.SqliteDatabase) -> Iterator[None]:
    """Wait for this thread's turn to write.

    SQLite's own waiting for its write lock sleeps in steps of up to a tenth of a second, and whoever asks at the right
    moment goes first. A lock on a file beside the database wakes the next writer at once, in this process or another.
    It only orders: whoever writes without it is still kept apart by SQLite.
    """
    file: _TurnFile | None = getattr(_turns, "file", None)
    if file is None or file.database != database.database:
        file = _turns.file = _TurnFile(database.database)
    fcntl.flock(file.descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file.descriptor, fcntl.LOCK_UN)


def _database(url: str, password_file: Path | None) -> peewee.Database:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "sqlite":
        path = urllib.parse.unquote(parts.path)
        # FULL: a committed job must outlive a power cut, since the user has been told that it is accepted.
        pragmas = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "busy_timeout": _BUSY_TIMEOUT_MS}
        return peewee.SqliteDatabase(path, pragmas=pragmas)
    if parts.scheme == "mysql":
        # A connection that is given back stays open for the next to ask: to open one costs 50 ms, most of it PyMySQL's
        # reading of the system's certificates. One that the server has closed meanwhile is noticed and replaced.
        server: peewee.Database = PooledMySQLDatabase(
            parts.path.lstrip("/"),
            max_connections=None,
            host=parts.hostname or "localhost",
            port=parts.port or 3306,
            user=urllib.parse.unquote(parts.username or ""),
            password=_read_password(password_file),
            charset="utf8mb4",
            # As SQLite does: what is too long is an error and never cut, a text may be of any length, and an update
            # counts the rows it finds, not those that were different before.
            sql_mode="STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
            field_types={"TEXT": "LONGTEXT"},
            client_flag=CLIENT.FOUND_ROWS,
            # As SQLite does it here: a reader that locks rows does not lock the gaps between them, which under MySQL's
            # default would hold up or deadlock those who insert.
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        )
        return server
    raise Unavailable(f"SKERRY_DATABASE_URL must begin with sqlite:// or mysql://, not {parts.scheme}://")


def _read_password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the database's password file {file} cannot be read: {error}") from error
