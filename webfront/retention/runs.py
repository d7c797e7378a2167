"""Removing by age, a little at a time: how far it has come, and what each run removed.

    run = Run("logs", days, term)
    while found := ended_jobs("logs", before):
        ...                                       # remove what is theirs, in short transactions of the term
        with term.transaction():
            move("logs", found[-1])               # only now: killed before, they are come to again
    run.tell()

A run's row stands once it has removed something. Jobs point to it, and so say when and why something of theirs is no
more; it goes when none can any more. A cursor passes over each job once, so that what is long done with costs nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from webfront.activity.facts import Kind, NewFact, record
from webfront.activity.term import Term
from webfront.database.models import RetentionRun
from webfront.database.rows import change, rows

SLICE: Final = 200
"""Jobs that one step comes to."""
_PAUSE_S: Final = 0.02
"""Between two steps, so that others who want to write have their turn."""

_CURSOR: Final = "SELECT at, job FROM retention_cursor WHERE name = ?"
_MOVE: Final = "UPDATE retention_cursor SET at = ?, job = ? WHERE name = ?"
_BEGIN: Final = "INSERT INTO retention_cursor (at, job, name) VALUES (?, ?, ?)"
# Those that ended just when the last one did come by their ids: in an index of times alone, so that it stays small.
_ENDED: Final = (
    "SELECT id, finished_at, attempts, input, results_run, input_run, log_run FROM job "
    "WHERE finished_at >= ? AND finished_at < ? AND (finished_at > ? OR id > ?) ORDER BY finished_at, id LIMIT ?"
)
# Whatever a run came to had ended before it ran: so those from before the oldest end are named by no job.
_FORGET: Final = "DELETE FROM retention_run WHERE at < ? AND at <= COALESCE((SELECT MIN(finished_at) FROM job), at)"
_COUNT: Final = "UPDATE retention_run SET `count` = `count` + ?, bytes = bytes + ? WHERE id = ?"


class Cursor(NamedTuple):
    at: float
    job: str


class EndedJob(NamedTuple):
    """A job that has ended, and what of it was removed already."""

    id: str
    finished_at: float
    attempts: int
    input: str | None
    results_run: int | None
    input_run: int | None
    log_run: int | None


def cursor(name: str) -> Cursor:
    """How far this has come."""
    return next(iter(rows(Cursor, _CURSOR, name)), Cursor(0.0, ""))


def move(name: str, at: float, job: str = "") -> None:
    """Note that it has come as far as here, within the caller's transaction."""
    if not change(_MOVE, at, job, name):
        change(_BEGIN, at, job, name)


def ended_jobs(name: str, before: float, most: int = SLICE) -> list[EndedJob]:
    """The next jobs that ended before this moment, in the order of their ends."""
    at, job = cursor(name)
    return rows(EndedJob, _ENDED, at, before, at, job, most)


def go_on(term: Term) -> bool:
    """Whether there is time for another step, after a moment for the others."""
    return not term.over.wait(_PAUSE_S)


class Run:
    """One run: what it removed, counted as it goes."""

    def __init__(self, what: str, days: int, term: Term) -> None:
        self._what, self._days, self._term = what, days, term
        self._number: int | None = None
        self.count = 0
        self._bytes = 0

    def number(self) -> int:
        """Its row's. Within a transaction: the first asks for the row."""
        if self._number is None:
            self._number = int(RetentionRun.create(what=self._what, days=self._days, at=self._term.now()).id)
        return self._number

    def removed(self, count: int, size: int = 0) -> None:
        """Count what the caller's transaction removes."""
        if count:
            add_to_run(self.number(), count, size)
            self.count += count
            self._bytes += size

    def freed(self, size: int) -> None:
        """Count the bytes that the caller's transaction frees."""
        add_to_run(self.number(), 0, size)
        self._bytes += size

    def tell(self) -> str:
        """Record what it freed as a fact. Returns words; none where it was nothing."""
        if not self.count and not self._bytes:
            return ""
        with self._term.transaction():
            record_freed(self._what, self.count, self._bytes, self._term.now(), self._days)
        return freed_words(self._what, self.count, self._bytes)


def forget_runs(before: float) -> None:
    """Remove the rows of runs from before this moment that no job can point to, within the caller's transaction."""
    change(_FORGET, before)


def add_to_run(number: int, count: int, size: int) -> None:
    """Count more as this run's, within the caller's transaction."""
    change(_COUNT, count, size, number)


def record_freed(what: str, count: int, size: int, now: float, days: int | None = None) -> None:
    """The fact of what was freed, within the caller's transaction."""
    record(NewFact(Kind.SPACE_FREE, now, data={"what": what, "count": count, "bytes": size, "days": days}))


def freed_words(what: str, count: int, size: int) -> str:
    """What was freed, for a person."""
    return f"removed {count} {what}" + (f", {size / 1e6:.1f} MB" if size else "")
