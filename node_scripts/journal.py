"""The agent's journal: which attempts it holds, on disk before the broker is told that they are.

What must survive the agent's death stands here or in an attempt's own folder, nothing else:

* an order, from before its acknowledgement until the broker has confirmed its `Finished` event;
* the slot it got, so that after a restart no other attempt is started as the same user;
* its end, from before its `Finished` event is sent (an attempt that ended before its launch has no other record);
* the last line of its log that the broker confirmed, so that the next start sends the rest;
* the newest ended attempts with their ends, so that an order that comes once more is answered and runs nothing: the
  broker had the end safe, and may have lost it since, or the controller's database is of before it.

`Claimed` and `Started` events need no rows of their own: a held attempt says the one, a launched one the other, and
the receiver takes a second copy for nothing.

SQLite with a write-ahead log and `synchronous=FULL`: a commit is one fsync. A thread writes
(`node_scripts.writing`), so that the event loop goes on meanwhile.

A journal that turns out to be damaged is of no more use to the process that has it open, whose every end would wait for
it: the process ends, and the next start sets the file aside, says so in its log and begins a new one. What the old one
held is lost, which the scheduler sees from the heartbeats and puts right.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from node_scripts.writing import Request, Write, Writing, WritingThread
from wire.messages import Finished, MessageError, Order, decode, encode

_log = logging.getLogger(__name__)

Key = tuple[str, int]
"""A job's id and an attempt's number."""

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS attempts (
    job TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    body BLOB NOT NULL,
    claimed_at REAL NOT NULL,
    slot INTEGER,
    started_at REAL,
    lines_confirmed INTEGER NOT NULL DEFAULT 0,
    finished BLOB,
    PRIMARY KEY (job, attempt)
);
CREATE TABLE IF NOT EXISTS ended (
    number INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    finished BLOB,
    UNIQUE (job, attempt)
);
"""
_ADDED: Final = "ALTER TABLE ended ADD COLUMN finished BLOB"
"""For a journal that an earlier release began. That release, should it come back, leaves the column empty."""
_HOLD: Final = """
INSERT INTO attempts (job, attempt, body, claimed_at, slot) SELECT ?1, ?2, ?3, ?4, ?5
WHERE NOT EXISTS (SELECT 1 FROM ended WHERE job = ?1 AND attempt = ?2)
ON CONFLICT DO NOTHING
"""
_END: Final = """
INSERT OR IGNORE INTO ended (job, attempt, finished)
VALUES (?1, ?2, (SELECT finished FROM attempts WHERE job = ?1 AND attempt = ?2))
"""
_KEPT: Final = """
SELECT finished FROM ended WHERE job = ?1 AND attempt = ?2
UNION ALL SELECT finished FROM attempts WHERE job = ?1 AND attempt = ?2
"""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_KEPT_ENDED: Final = 10_000
_TRIM_EVERY: Final = 500


class JournalError(Exception):
    """The journal cannot be written or read (a full disk, for one)."""

    def __init__(self, words: str, *, is_full: bool = False) -> None:
        super().__init__(words)
        self.is_full = is_full
        """It is the disk that is full."""


class JournalDamaged(JournalError):
    """What the file holds is no journal any more; it will not be written again."""


@dataclasses.dataclass(frozen=True)
class JournalledAttempt:
    """A held attempt as the journal has it."""

    order: Order
    claimed_at: float
    slot: int | None
    started_at: float | None
    lines_confirmed: int
    finished: Finished | None


class Journal:
    """Opened by one agent process at a time, and used from one event loop."""

    def __init__(self, path: Path, writing: Callable[[Write], Writing] = WritingThread) -> None:
        """Open or make the journal. Raises `JournalError`. `writing` decides when it is written."""
        try:
            self._connection = _open(path)
        except sqlite3.Error as error:
            raise JournalError(f"the journal {path} cannot be opened: {error}") from error
        self._ended = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_damage: Callable[[JournalDamaged], None] | None = None
        self._writing = writing(self._write)

    def held(self) -> list[JournalledAttempt]:
        """The attempts an earlier process held, oldest first. Only before `start`."""
        rows = self._connection.execute(
            "SELECT job, attempt, body, claimed_at, slot, started_at, lines_confirmed, finished"
            " FROM attempts ORDER BY claimed_at, rowid"
        ).fetchall()
        held = []
        for job, attempt, body, claimed_at, slot, started_at, lines_confirmed, finished in rows:
            try:
                order, end = _decode(body, finished)
            except (MessageError, msgspec.MsgspecError):
                # Written by a version this one cannot read. The scheduler sees it missing and places the job again.
                _log.error("dropped an unreadable attempt", extra={"skerry.job": job, "skerry.attempt": attempt})
                self._connection.execute("DELETE FROM attempts WHERE job = ? AND attempt = ?", (job, attempt))
                continue
            held.append(JournalledAttempt(order, claimed_at, slot, started_at, lines_confirmed, end))
        return held

    def start(self, loop: asyncio.AbstractEventLoop, on_damage: Callable[[JournalDamaged], None] | None = None) -> None:
        """Begin to write; answers go to `loop`. `on_damage` is called there when the file turns out to be damaged."""
        self._loop = loop
        self._on_damage = on_damage
        self._writing.start()

    async def hold(self, claims: Sequence[tuple[Order, int | None]], at: float) -> list[bool]:
        """Put orders with their slots into the journal, in one commit.

        For each: True if it is new, False if it is held already or has ended. Raises `JournalError`.
        """
        statements: list[tuple[str, tuple[Any, ...]]] = [
            (_HOLD, (order.job, order.attempt, encode(order), at, slot)) for order, slot in claims
        ]
        return [changed > 0 for changed in await self._ask(statements)]

    async def ends(self, keys: Sequence[Key]) -> list[Finished | None]:
        """How these attempts ended, as far as that is known. Raises `JournalError`."""
        found: list[list[tuple[bytes | None]]] = await self._ask([(_KEPT, key) for key in keys])
        return [next((_end_in(body) for (body,) in rows if body is not None), None) for rows in found]

    def note_slot(self, key: Key, slot: int | None) -> asyncio.Future[list[int]]:
        """Note the slot of an attempt that had to wait for it.

        Nothing may be launched in the slot before the future is done; it fails with `JournalError`.
        """
        return self._ask([("UPDATE attempts SET slot = ? WHERE job = ? AND attempt = ?", (slot, *key))])

    def finish(self, finished: Finished) -> asyncio.Future[list[int]]:
        """Note how an attempt ended. Nobody is told before the future is done; it fails with `JournalError`."""
        body = msgspec.json.encode(finished)
        return self._ask(
            [("UPDATE attempts SET finished = ? WHERE job = ? AND attempt = ?", (body, finished.job, finished.attempt))]
        )

    def end(self, keys: Sequence[Key]) -> None:
        """The broker has confirmed these attempts' ends: hold them no longer, only remember how they ended."""
        statements: list[tuple[str, tuple[Any, ...]]] = []
        for key in keys:
            statements.append((_END, key))
            statements.append(("DELETE FROM attempts WHERE job = ? AND attempt = ?", key))
            self._ended += 1
            if self._ended % _TRIM_EVERY == 0:
                trim = "DELETE FROM ended WHERE number <= (SELECT max(number) FROM ended) - ?"
                statements.append((trim, (_KEPT_ENDED,)))
        self._writing.add(Request(statements, None), urgent=True)

    def note_started(self, key: Key, at: float) -> None:
        """Note when the app was started; lost with the last second, it is told as the restart's time."""
        self._note("UPDATE attempts SET started_at = ? WHERE job = ? AND attempt = ?", (at, *key))

    def note_lines(self, key: Key, lines: int) -> None:
        """Note that the broker has confirmed the log up to this line; lost, the lines are sent once more."""
        self._note("UPDATE attempts SET lines_confirmed = ? WHERE job = ? AND attempt = ?", (lines, *key))

    def close(self) -> None:
        """Write what waits, and close."""
        self._writing.close()
        self._connection.close()

    def _note(self, statement: str, values: tuple[Any, ...]) -> None:
        self._writing.add(Request([(statement, values)], None), urgent=False)

    def _ask(self, statements: list[tuple[str, tuple[Any, ...]]]) -> asyncio.Future[list[Any]]:
        done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        # Whoever asks may be cancelled and never look; the request itself goes on.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._writing.add(Request(statements, done), urgent=True)
        return done

    def _write(self, requests: list[Request]) -> None:
        answers, error = self._commit(requests)
        asked = [(request.done, answer) for request, answer in zip(requests, answers, strict=True) if request.done]
        if self._loop is None or self._loop.is_closed():
            return
        if asked:
            self._loop.call_soon_threadsafe(_answer, asked, error)
        if isinstance(error, JournalDamaged) and self._on_damage is not None:
            self._loop.call_soon_threadsafe(self._on_damage, error)

    def _commit(self, requests: list[Request]) -> tuple[list[list[Any]], JournalError | None]:
        """Write all of these and fsync once. For each statement its rows, or how many it changed."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            answers = [[_told(execute(*statement)) for statement in request.statements] for request in requests]
            execute("COMMIT")
        except Exception as error:  # the writing thread has nobody above it, and everybody waits for its answers
            with contextlib.suppress(sqlite3.Error):  # which a damaged file may refuse too
                self._connection.rollback()
            _log.error("the journal cannot be written: %s", error)
            kind = JournalDamaged if _is_damage(error) else JournalError
            is_full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
            return [[] for _ in requests], kind(f"the journal cannot be written: {error}", is_full=is_full)
        return answers, None


def _told(cursor: sqlite3.Cursor) -> Any:
    return cursor.rowcount if cursor.description is None else cursor.fetchall()


def _is_damage(error: Exception) -> bool:
    # The lower byte is the kind, whatever the rest says more closely.
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def _end_in(body: bytes) -> Finished | None:
    try:
        return msgspec.json.decode(body, type=Finished)
    except msgspec.MsgspecError:
        return None


def _answer(asked: list[tuple[asyncio.Future[list[Any]], list[Any]]], error: JournalError | None) -> None:
    for done, answer in asked:
        if done.done():
            continue
        if error is None:
            done.set_result(answer)
        else:
            done.set_exception(error)


def _decode(body: bytes, finished: bytes | None) -> tuple[Order, Finished | None]:
    order = decode(body)
    if not isinstance(order, Order):
        raise MessageError("not an order")
    return order, None if finished is None else msgspec.json.decode(finished, type=Finished)


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
            raise
        # Not a database any more (a worn card, a power cut below the file system). What it held is lost, which the
        # scheduler sees from the heartbeats and puts right; refusing to start would help nobody.
        aside = path.with_name(f"{path.name}.unreadable-{int(time.time())}")
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        _log.error("the journal is damaged (%s); moved it to %s and began a new one", error, aside)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    # Made here, used by the writing thread alone once that has started.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-512")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.OperationalError(f"it is of version {version}, written by a newer agent")
        # Also what the quicker check does not see: an index that has not what its table has.
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        connection.executescript(_SCHEMA)
        if "finished" not in {row[1] for row in connection.execute("PRAGMA table_info(ended)")}:
            connection.execute(_ADDED)
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection
