"""The journal keeps what an agent must know after it died."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node_scripts.journal import Journal, JournalError
from wire.messages import AppRef, Cause, Finished, Order


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


def test_a_damaged_journal_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"not a database, " * 1000)
    journal = Journal(path)
    assert journal.held() == []
    journal.close()
    assert [file.read_bytes()[:5] for file in tmp_path.glob("journal.unreadable-*")] == [b"not a"]
