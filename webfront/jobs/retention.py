"""What is kept of jobs that have ended, and for how long: a chore for each kind of thing.

Nothing of a job that has not ended is ever touched: only such are looked for that have an end, and an end stays. Each
chore comes to the jobs in the order of their ends (`webfront.retention.runs`), in steps of a few hundred.

Crash order: the mark comes first, in the job's row (which run removed it, so that a reader is told when and why), then
the thing, then the cursor moves on. Killed in between, the next run comes to the same jobs again, finds their marks and
removes what is left. Files go by a row of their own (`webfront.retention.removals`), written with the mark.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from webfront.activity.facts import Fact, Outcome
from webfront.activity.term import Term
from webfront.changeable.table import (
    INPUTS_DAYS,
    JOBS_DAYS,
    LOGS_DAYS,
    RANKINGS_DAYS,
    RESULTS_DAYS,
)
from webfront.changeable.values import Values
from webfront.clock import Clock, system_clock
from webfront.database.rows import change, many, octets, rows
from webfront.jobs.deleting import delete_rows, log_paths
from webfront.jobs.states import OPEN_JOBS
from webfront.retention.facts import DAY_S, read_until
from webfront.retention.removals import give_up
from webfront.retention.runs import EndedJob, Run, ended_jobs, forget_runs, go_on, move

LATE_S: Final = DAY_S
"""An attempt that was given up may still store its results, where its node was cut off: so it is looked once more."""
_CHUNKS_AT_ONCE: Final = 200

_MARK_RESULTS: Final = "UPDATE job SET results_run = ? WHERE id = ?"
_MARK_INPUT: Final = "UPDATE job SET input_run = ? WHERE id = ?"
_MARK_LOG: Final = "UPDATE job SET log_run = ? WHERE id = ?"
_CHUNKS: Final = (
    "SELECT c.id, {} AS size FROM log_chunk c JOIN attempt a ON a.id = c.attempt_id WHERE a.job_id IN (?*) LIMIT ?"
)
_DELETE_CHUNKS: Final = "DELETE FROM log_chunk WHERE id IN (?*)"
_RANKINGS: Final = "SELECT id, {} AS size FROM ranking WHERE job_id IN (?*)"
_DELETE_RANKINGS: Final = "DELETE FROM ranking WHERE id IN (?*)"
_PIECES: Final = (
    "SELECT p.id, 0 AS size FROM log_piece p JOIN attempt a ON a.id = p.attempt_id WHERE a.job_id IN (?*) LIMIT ?"
)
_DELETE_PIECES: Final = "DELETE FROM log_piece WHERE id IN (?*)"
_PLACEMENTS: Final = "SELECT id, placement FROM attempt WHERE job_id IN (?*)"
_REPLACE: Final = "UPDATE attempt SET placement = ? WHERE id = ?"
_ENDED_BEFORE: Final = (
    "SELECT id, finished_at, attempts, input, results_run, input_run, log_run FROM job WHERE finished_at < ? "
    "ORDER BY finished_at LIMIT ?"
)
_STATES: Final = "SELECT id, state, attempts FROM job WHERE id IN (?*)"


class _Sized(NamedTuple):
    id: int
    size: int


class _Placement(NamedTuple):
    id: int
    placement: str


class _State(NamedTuple):
    id: str
    state: str
    attempts: int


def forget_old_results(term: Term, *, values: Values) -> str:
    """The chore: give up the results of jobs that ended long ago."""
    days = values.get(RESULTS_DAYS)
    run = Run("results", days, term)
    while found := ended_jobs("results", term.now() - days * DAY_S):
        with term.transaction():
            # Each has a folder if an attempt of it has stored something; whether one has is not in its row.
            old = [job for job in found if job.results_run is None and job.attempts]
            if old:
                many(_MARK_RESULTS, [(run.number(), job.id) for job in old])
                give_up([f"results/{job.id}" for job in old], "results", term.now(), run.number())
                run.removed(len(old))
            move("results", found[-1].finished_at, found[-1].id)
        if not go_on(term):
            break
    return f"gave up the results of {run.count} jobs" if run.count else ""


def forget_old_inputs(term: Term, *, values: Values) -> str:
    """The chore: give up the inputs of jobs that ended long ago."""
    days = values.get(INPUTS_DAYS)
    run = Run("inputs", days, term)
    while found := ended_jobs("inputs", term.now() - days * DAY_S):
        with term.transaction():
            old = [job for job in found if job.input_run is None and job.input is not None]
            if old:
                many(_MARK_INPUT, [(run.number(), job.id) for job in old])
                give_up([f"inputs/{job.id}" for job in old], "inputs", term.now(), run.number())
                run.removed(len(old))
            move("inputs", found[-1].finished_at, found[-1].id)
        if not go_on(term):
            break
    return f"gave up the inputs of {run.count} jobs" if run.count else ""


def forget_old_logs(term: Term, *, values: Values, consumers: Collection[str]) -> str:
    """The chore: remove the logs of jobs that ended long ago, none that is still to be carried elsewhere."""
    days = values.get(LOGS_DAYS)
    run = Run("logs", days, term)
    while found := ended_jobs("logs", _before(term, days, consumers)):
        with term.transaction():
            old = [job for job in found if job.log_run is None and job.attempts]
            if old:
                many(_MARK_LOG, [(run.number(), job.id) for job in old])
                give_up(log_paths(job.id for job in old), "logs", term.now(), run.number())
                run.removed(len(old))
        if not _remove_chunks(term, run, [job.id for job in found]):
            break
        with term.transaction():
            move("logs", found[-1].finished_at, found[-1].id)
        if not go_on(term):
            break
    return run.tell()


def _remove_chunks(term: Term, run: Run, jobs: Sequence[str]) -> bool:
    """Remove what these jobs' attempts said, a slice at a time: one may have said gigabytes. False when cut off."""
    for sql, delete in ((_CHUNKS.format(octets("c.text")), _DELETE_CHUNKS), (_PIECES, _DELETE_PIECES)):
        while found := rows(_Sized, sql, list(jobs), _CHUNKS_AT_ONCE):
            with term.transaction():
                change(delete, [one.id for one in found])
                run.freed(sum(one.size for one in found))
            if not go_on(term):
                return False
    return True


def forget_old_rankings(term: Term, *, values: Values) -> str:
    """The chore: of decisions made long ago keep what was decided and why, and not how each node ranked."""
    days = values.get(RANKINGS_DAYS)
    run = Run("rankings", days, term)
    while found := ended_jobs("rankings", term.now() - days * DAY_S):
        jobs = [job.id for job in found]
        kept = rows(_Sized, _RANKINGS.format(octets("nodes")), jobs)
        shorter, size = _shorter(jobs)
        with term.transaction():
            if kept:
                change(_DELETE_RANKINGS, [one.id for one in kept])
            many(_REPLACE, shorter)
            run.removed(len(kept) + len(shorter), sum(one.size for one in kept) + size)
            move("rankings", found[-1].finished_at, found[-1].id)
        if not go_on(term):
            break
    return run.tell()


def _shorter(jobs: Sequence[str]) -> tuple[list[tuple[str, int]], int]:
    """Decisions that hold their rankings themselves, as they did before `Ranking`: without, and the bytes less."""
    shorter = []
    size = 0
    for row in rows(_Placement, _PLACEMENTS, jobs):
        decision: dict[str, Any] = msgspec.json.decode(row.placement)
        if decision.get("ranking"):
            text = msgspec.json.encode(decision | {"ranking": []}).decode()
            shorter.append((text, row.id))
            size += len(row.placement) - len(text)
    return shorter, size


def forget_old_jobs(term: Term, *, values: Values, consumers: Collection[str]) -> str:
    """The chore: remove all that is left of jobs that ended long ago, of none that somebody is still to be told of."""
    days = values.get(JOBS_DAYS)
    run = Run("jobs", days, term)
    while found := rows(EndedJob, _ENDED_BEFORE, _before(term, days, consumers), 50):
        if not _remove_chunks(term, run, [job.id for job in found]):
            break
        with term.transaction():
            delete_rows(found, term.now(), run.number())
            run.removed(len(found))
        if not go_on(term):
            break
    with term.transaction():
        forget_runs(term.now() - days * DAY_S)
    return run.tell()


def _before(term: Term, days: int, consumers: Collection[str]) -> float:
    """Jobs that ended before this moment are old enough, and all who are told of ends have been told of theirs."""
    return min(term.now() - days * DAY_S, read_until(consumers, term.now()))


class Superseded:
    """The consumer of attempts' ends: what an attempt has stored that does not count goes at once.

    An attempt counts no more when its job goes on without it. It may store its results after that, where its node was
    cut off: so they are removed once more a day later, and whatever comes later still goes with the job's own.
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock

    def __call__(self, ends: Sequence[Fact]) -> None:
        given_up = {(one.job, one.attempt) for one in ends if one.outcome == Outcome.FAILURE and one.attempt}
        if not given_up:
            return
        jobs = {row.id: row for row in rows(_State, _STATES, list({job for job, _ in given_up}))}
        paths = [
            f"results/{job}/{folder}"
            for job, number in sorted(given_up, key=str)
            if (row := jobs.get(job)) is not None and number is not None and _is_superseded(row, number)
            for folder in (str(number), f".{number}.partial")
        ]
        give_up(paths, "superseded results", self._clock())
        give_up(paths, "superseded results", self._clock() + LATE_S)


def _is_superseded(job: _State, number: int) -> bool:
    return number < job.attempts or job.state in OPEN_JOBS
