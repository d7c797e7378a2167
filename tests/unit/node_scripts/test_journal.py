"""The journal keeps what an agent must know after it died."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node_scripts.journal import Journal, JournalDamaged, JournalError
from wire.messages import AppRef, Cause, Finished, Order, OutputFile


def order(job: str, attempt: int = 1) -> Order:
    return Order(job=job, attempt=attempt, app=AppRef(name="test", version="0" * 64))


def with_journal(path: Path, use: Callable[[Journal], Awaitable[None]]) -> None:
    async def run() -> None:
        journal = Journal(path)
        journal.start(asyncio.get_running_loop())
        try:
            await use(journal)
        finally:
            journal.close()

    asyncio.run(run())


def test_what_was_held_is_there_at_the_next_start_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    end = Finished("b", 1, 4.0, Cause.APP_ERROR, "said no")

    async def first_life(journal: Journal) -> None:
        assert await journal.hold([(order("a"), 0), (order("b"), 1), (order("c"), None)], 1.0) == [True] * 3
        await journal.note_slot(("c", 1), 1)
        journal.note_started(("a", 1), 2.0)
        journal.note_lines(("a", 1), 77)
        await journal.finish(end)
        journal.end([("c", 1)])

    with_journal(path, first_life)
    journal = Journal(path)
    a, b = journal.held()
    journal.close()
    assert (a.order, a.claimed_at, a.slot, a.started_at, a.lines_confirmed, a.finished) == (
        order("a"), 1.0, 0, 2.0, 77, None,
    )  # fmt: skip
    assert (b.order.job, b.slot, b.finished) == ("b", 1, end)


def test_an_order_held_or_ended_is_not_new(tmp_path: Path) -> None:
    async def use(journal: Journal) -> None:
        assert await journal.hold([(order("a"), None), (order("a"), None), (order("a", 2), None)], 1.0) == [
            True,
            False,
            True,
        ]
        journal.end([("a", 1)])
        assert await journal.hold([(order("a"), None)], 2.0) == [False]

    with_journal(tmp_path / "journal", use)


def test_how_an_attempt_ended_is_kept_when_it_is_held_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    end = Finished("a", 1, 4.0, Cause.OK, outputs=(OutputFile("predictions.csv", 3, "0" * 64),), log_lines=7)

    async def use(journal: Journal) -> None:
        await journal.hold([(order("a"), 0), (order("b"), 1)], 1.0)
        await journal.finish(end)
        assert await journal.ends([("a", 1)]) == [end]  # its folder is being removed
        journal.end([("a", 1), ("b", 1)])
        assert await journal.ends([("a", 1), ("b", 1), ("c", 1)]) == [end, None, None]

    with_journal(path, use)

    async def next_life(journal: Journal) -> None:
        assert await journal.ends([("a", 1)]) == [end]

    with_journal(path, next_life)


def test_a_journal_of_the_first_release_goes_on_and_can_be_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    older = sqlite3.connect(path)
    older.executescript(
        "CREATE TABLE ended (number INTEGER PRIMARY KEY, job TEXT NOT NULL, attempt INTEGER NOT NULL,"
        " UNIQUE (job, attempt)); PRAGMA user_version=1"
    )
    older.execute("INSERT INTO ended (job, attempt) VALUES ('a', 1)")
    older.commit()
    older.close()

    async def use(journal: Journal) -> None:
        assert await journal.hold([(order("a"), None), (order("b"), None)], 1.0) == [False, True]
        assert await journal.ends([("a", 1)]) == [None]

    with_journal(path, use)
    older = sqlite3.connect(path)
    older.execute("INSERT OR IGNORE INTO ended (job, attempt) VALUES ('c', 1)")
    assert older.execute("PRAGMA user_version").fetchone() == (1,)
    older.close()


def test_only_the_newest_ended_attempts_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node_scripts.journal._KEPT_ENDED", 100)
    monkeypatch.setattr("node_scripts.journal._TRIM_EVERY", 10)

    async def use(journal: Journal) -> None:
        for start in range(0, 1000, 50):
            journal.end([(f"job{number}", 1) for number in range(start, start + 50)])

    with_journal(tmp_path / "journal", use)
    connection = sqlite3.connect(tmp_path / "journal")
    assert connection.execute("SELECT count(*), max(job) FROM ended").fetchone() == (100, "job999")


def test_requests_made_during_a_commit_share_the_next(tmp_path: Path) -> None:
    commits: list[str] = []

    async def use(journal: Journal) -> None:
        journal._connection.set_trace_callback(lambda statement: commits.append(statement))
        await asyncio.gather(*(journal.hold([(order(f"job{number}"), None)], 1.0) for number in range(500)))

    with_journal(tmp_path / "journal", use)
    assert commits.count("COMMIT") < 50


def test_a_journal_that_cannot_be_written_says_so_and_works_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    async def use(journal: Journal) -> None:
        journal._connection.execute("PRAGMA query_only=1")  # refuses writes, as a full disk does
        with pytest.raises(JournalError, match="cannot be written"):
            await journal.hold([(order("a"), None)], 1.0)
        journal._connection.execute("PRAGMA query_only=0")
        assert await journal.hold([(order("a"), None)], 1.0) == [True]

    with_journal(path, use)


def overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def spoil_index(path: Path) -> None:
    """The table goes on without what its index has: each row seems new, and none is found by its name."""
    spoilt = sqlite3.connect(path)
    spoilt.execute("PRAGMA writable_schema=ON")
    (page,) = spoilt.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_attempts_1'").fetchone()
    (size,) = spoilt.execute("PRAGMA page_size").fetchone()
    spoilt.close()
    # An empty leaf of an index.
    overwrite(path, (page - 1) * size, b"\x0a\0\0\0\0" + size.to_bytes(2, "big") + b"\0")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "it is something else": lambda path: path.write_bytes(b"not a database, " * 1000),
    "its first block is lost": lambda path: overwrite(path, 0, bytes(4096)),
    "a block in it is lost": lambda path: overwrite(path, 4096, bytes(4096)),
    "its end is lost": lambda path: os.truncate(path, path.stat().st_size // 2),
    "an index lacks its rows": spoil_index,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_set_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal"

    async def use(journal: Journal) -> None:
        await journal.hold([(order(f"job{number}"), None) for number in range(200)], 1.0)

    with_journal(path, use)
    DAMAGES[damage](path)
    spoilt = path.read_bytes()
    journal = Journal(path)
    assert journal.held() == []
    journal.close()
    assert [file.read_bytes() for file in tmp_path.glob("journal.unreadable-*")] == [spoilt]
    assert "the journal is damaged" in caplog.text


def test_damage_that_shows_while_the_journal_is_open_is_told_once_and_for_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    told: list[JournalDamaged] = []

    async def run() -> None:
        journal = Journal(path)
        journal.start(asyncio.get_running_loop(), told.append)
        await journal.hold([(order(f"job{number}"), None) for number in range(2000)], 1.0)
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal._connection.execute("PRAGMA shrink_memory")
        size = path.stat().st_size
        overwrite(path, 4096, os.urandom(size - 4096))
        with pytest.raises(JournalDamaged):
            await journal.hold([(order(f"job{number}"), None) for number in range(2000, 2500)], 1.0)
        await asyncio.sleep(0)
        journal.close()

    asyncio.run(run())
    assert told
    Journal(path).close()
    assert list(tmp_path.glob("journal.unreadable-*"))
