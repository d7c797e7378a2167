"""What must be true of the database after each change, and at the end.

One outcome a job, which never changes; one live attempt a job, the newest, and no other changes any more; an outcome
is what the app on that attempt's own node came to, and never what a node has refused for itself. No node is taken for
dead for what happened to the broker or to the scheduler. In the end each end is recorded once and nothing is in hand.
"""

from __future__ import annotations

import collections
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from node_scripts.journal import Key
from node_scripts.running.interface import Ended
from webfront.jobs.endings import MOST_REFUSED
from webfront.jobs.states import ENDED_JOBS
from wire.messages import Cause

_JOBS: Final = (
    "SELECT id, state, attempts, cause, message, finished_at, cancel_requested, submitted_at FROM job ORDER BY id"
)
_ATTEMPTS: Final = (
    "SELECT job_id, number, node, state, cause, ended_at, outputs, log_lines, exit_code, message, id, refusal "
    "FROM attempt ORDER BY job_id, number"
)
_DEATHS: Final = "SELECT node FROM fact WHERE kind = 'node.state' AND data LIKE '%\"dead\"%' ORDER BY id"
_APPS_OWN: Final = frozenset({Cause.OK, Cause.APP_ERROR, Cause.TIMEOUT, Cause.OUT_OF_MEMORY})
"""Causes that only the app's run on the node can be the source of."""

_ENDED: Final = frozenset(state.value for state in ENDED_JOBS)


class JobRow(NamedTuple):
    id: str
    state: str
    attempts: int
    cause: str | None
    message: str
    finished_at: float | None
    cancel_requested: int
    submitted_at: float


class AttemptRow(NamedTuple):
    job: str
    number: int
    node: str
    state: str
    cause: str | None
    ended_at: float | None
    outputs: str
    log_lines: int | None
    exit_code: int | None
    message: str
    row: int
    refusal: str


class Checker:
    """Looks at the database whenever it has changed."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        told: Callable[[str, Key], list[Ended]],
        found: Callable[[str], None],
        is_well: Callable[[str], bool],
    ) -> None:
        """`told(node, key)` are the ends that the runner there has told of that attempt.

        `is_well(node)`: nothing has happened to that node itself for so long that it must not be given up.
        """
        self._connection = connection
        self._is_well = is_well
        self._deaths = 0
        self._told = told
        self._found = found
        self._changes = -1
        self.jobs: dict[str, JobRow] = {}
        self.attempts: dict[Key, AttemptRow] = {}
        self.open = 0
        """How many jobs have not ended."""
        self.looks = 0

    def look(self) -> None:
        """After anything that may have changed it."""
        changes = self._connection.total_changes
        if changes == self._changes:
            return
        self._changes = changes
        self.looks += 1
        jobs = {row[0]: JobRow(*row) for row in self._connection.execute(_JOBS)}
        attempts = {(row[0], row[1]): AttemptRow(*row) for row in self._connection.execute(_ATTEMPTS)}
        deaths = self._connection.execute(_DEATHS).fetchall()
        for (name,) in deaths[self._deaths :]:
            if self._is_well(name):
                self._found(f"{name} is taken for dead, and nothing has happened to it")
        self._deaths = len(deaths)
        if jobs != self.jobs or attempts != self.attempts:
            self._compare(jobs, attempts)
            self.jobs, self.attempts = jobs, attempts
            self.open = sum(1 for row in jobs.values() if row.state not in _ENDED)

    def _compare(self, jobs: Mapping[str, JobRow], attempts: Mapping[Key, AttemptRow]) -> None:
        for name, before in self.jobs.items():
            now = jobs.get(name)
            if now is None:
                self._found(f"{name} is gone")
            elif before.state in _ENDED and now._replace(cancel_requested=before.cancel_requested) != before:
                self._found(f"{name} changed after its end: {before} is now {now}")
            elif now.attempts < before.attempts:
                self._found(f"{name} went back from attempt {before.attempts} to {now.attempts}")
        for key, was in self.attempts.items():
            is_now = attempts.get(key)
            if was.state == "ended" and is_now != was:
                self._found(f"attempt {key} changed after its end: {was} is now {is_now}")
        last: dict[str, AttemptRow] = {}
        well: collections.Counter[str] = collections.Counter()
        for key, row in attempts.items():
            earlier = last.get(row.job)
            if row.number != (1 if earlier is None else earlier.number + 1):
                self._found(f"{row.job} has attempt {row.number} after {earlier}")
            if earlier is not None and earlier.state != "ended":
                self._found(f"{row.job} has attempt {row.number} while {earlier.number} is {earlier.state}")
            last[row.job] = row
            if row.cause == Cause.OK:
                well[row.job] += 1
            if self.attempts.get(key) != row and row.cause in _APPS_OWN:
                self._is_true(key, row)
        for name, job in jobs.items():
            self._fits(job, last.get(name), well[name])

    def _is_true(self, key: Key, row: AttemptRow) -> None:
        ends = self._told(row.node, key)
        if not any(end.cause == row.cause and end.exit_code == row.exit_code for end in ends):
            self._found(f"attempt {key} ended as {row.cause}, and on {row.node} it came to {ends}")

    def _fits(self, job: JobRow, newest: AttemptRow | None, well: int) -> None:
        number = 0 if newest is None else newest.number
        if job.attempts != number:
            self._found(f"{job.id} counts {job.attempts} attempts and has {number}")
        live = newest is not None and newest.state != "ended"
        if live != (job.state in ("placed", "running")):
            self._found(f"{job.id} is {job.state} and its newest attempt {newest}")
        if well > 1 or (well == 1) != (job.state == "succeeded"):
            self._found(f"{job.id} is {job.state} with {well} attempts that went well")
        if job.state == "cancelled" and not job.cancel_requested:
            self._found(f"{job.id} is cancelled, which nobody asked for")
        if job.state == "failed" and newest is not None and newest.refusal and number <= MOST_REFUSED:
            self._found(f"{job.id} failed of what {newest.node} has refused for itself: {newest}")
        if job.state == "failed" and (newest is None or newest.cause != job.cause):
            self._found(f"{job.id} failed of {job.cause}, its last attempt ended {newest}")

    def recorded_once(self) -> None:
        """At the end: each end is one fact, and each line of a log stands once."""
        for kind, counted in (("job.end", self.jobs), ("attempt.end", self.attempts)):
            facts = collections.Counter(
                self._connection.execute("SELECT job, attempt FROM fact WHERE kind = ?", (kind,)).fetchall()
            )
            wanted: set[tuple[str, Any]] = {(key, None) if isinstance(key, str) else key for key in counted}
            for key, count in facts.items():
                if count != 1 or key not in wanted:
                    self._found(f"{kind} of {key} is recorded {count} times")
            for key in wanted - set(facts):
                self._found(f"{kind} of {key} is not recorded")
        end: dict[int, int] = {}
        for attempt, first, count in self._connection.execute(
            "SELECT attempt_id, first, count FROM log_chunk ORDER BY attempt_id, first"
        ):
            if first <= end.get(attempt, 0):
                self._found(f"line {first} of the log of attempt row {attempt} stands twice")
            end[attempt] = first + count - 1
