"""Jobs that live and end in the database as real ones do: by the platform's own intake, decisions and ledger.

A few are in hand at a time, so rows grow beside each other as they do while nodes work, and pages fill as they then do.
No process runs: what agents would say is said here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from benchmarks import pages
from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion, User
from webfront.database.rows import many
from webfront.fleet.states import NodeState
from webfront.jobs import lifecycle
from webfront.jobs.endings import Ending
from webfront.jobs.identifiers import first_after
from webfront.jobs.intake import NewJob, insert_jobs
from webfront.jobs.states import JobState
from webfront.scheduling.constraints import Candidate, Demand
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.placement import decide
from webfront.scheduling.score import score
from webfront.scheduling.versions import Versions
from webfront.settings import ScoreSettings
from wire.messages import Cause, Metrics, Usage

LINES: Final = 40
IN_HAND: Final = 3 * pages.NODES
"""Two slots a node, and one order of backlog."""
AT_ONCE: Final = 84 * IN_HAND
"""Jobs that one transaction makes. A platform commits more often, which changes no page, and costs a benchmark time."""
_RUNS_S: Final = 4.0
_LINE: Final = "epoch {:>3}: loss=0.{:0>6} accuracy=0.{:0>6} seconds=0.1{:0>3}"
_CHUNK: Final = "INSERT INTO log_chunk (attempt_id, `first`, `count`, at, text) VALUES (?, ?, 1, ?, ?)"


class Lives:
    """Makes jobs of the users and apps that there are. `speaks` says whether one that ends then leaves a log."""

    def __init__(self, speaks: Callable[[float], bool]) -> None:
        self._speaks = speaks
        self._chance = random.Random(1)
        self._users = list(User.select())
        self._versions = list(AppVersion.select(AppVersion, App).join(App))
        self._known = Versions()

    def live(self, ends: Sequence[float]) -> None:
        """Have a job end at each of these moments."""
        for part in _parts(ends, AT_ONCE):
            with transaction():
                for in_hand in _parts(part, IN_HAND):
                    self._live(dict(zip(self._submit(in_hand), in_hand, strict=True)))

    def _submit(self, ends: Sequence[float]) -> list[str]:
        jobs = []
        for at in ends:
            submitted = at - _RUNS_S - 1
            job = f"{first_after(submitted)[:10]}{pages.ulid(0, self._chance.getrandbits(79))[10:]}"
            user, version = self._chance.choice(self._users), self._chance.choice(self._versions)
            jobs.append(
                NewJob(
                    *(job, version.id, user.id, 0, f"inputs/{job}/readings.csv", {"threshold": "0.5"}, submitted),
                    user=user.name,
                    app=version.app.name,
                    controller="api.jobs",
                )
            )
        insert_jobs(jobs)
        return [job.id for job in jobs]

    def _live(self, ends: dict[str, float]) -> None:
        """From the queue to their ends, a ledger for each step."""
        decision = decide(Demand(), _nodes(self._chance))
        with _Step(self._known, ends) as ledger:
            for job, end in ends.items():
                node = f"node-{self._chance.randrange(pages.NODES)}"
                attempt = lifecycle.place(ledger.jobs[job], node, end - _RUNS_S - 1)
                if attempt is not None:
                    ledger.add(ledger.jobs[job], attempt, decision)
        with _Step(self._known, ends) as ledger:
            for attempt in ledger.attempts.values():
                begun = ends[attempt.job_id] - _RUNS_S
                ledger.note_published(attempt.job_id, 1, begun)
                lifecycle.claim(ledger.jobs[attempt.job_id], attempt, attempt.node, begun, begun)
                lifecycle.start(ledger.jobs[attempt.job_id], attempt, attempt.node, begun, begun)
        with _Step(self._known, ends) as ledger:
            spoken = {one.pk: ends[job] for job, one in ledger.attempts.items() if one.pk and self._speaks(ends[job])}
            many(_CHUNK, self._said(spoken))
            for attempt in ledger.attempts.values():
                record, end = ledger.jobs[attempt.job_id], ends[attempt.job_id]
                cancelled, ending = self._ending(end)
                record.cancel_requested = cancelled
                lifecycle.end(record, attempt, attempt.node, ending, kind="job", retries={}, earlier=(), now=end)

    def _ending(self, at: float) -> tuple[bool, Ending]:
        state, cause = pages.end(self._chance)
        well = state is JobState.SUCCEEDED
        output = {"name": "predictions.csv", "size": 1000, "sha256": f"{self._chance.getrandbits(256):064x}"}
        usage = Usage(_RUNS_S, round(_RUNS_S * self._chance.random(), 3), round(100 * self._chance.random(), 1))
        ending = Ending(
            Cause(cause),
            at,
            exit_code=0 if well else 1,
            outputs=(output,) if well else (),
            log_lines=LINES,
            usage=msgspec.to_builtins(usage),
        )
        return state is JobState.CANCELLED, ending

    def _said(self, ends: dict[int, float]) -> Iterator[tuple[int, int, float, str]]:
        for line in range(1, LINES + 1):
            for attempt, at in ends.items():
                drawn = (self._chance.randrange(10**6), self._chance.randrange(10**6), self._chance.randrange(1000))
                yield attempt, line, at - _RUNS_S + line * _RUNS_S / LINES, _LINE.format(line, *drawn)


class _Step:
    """A ledger of these jobs, written at the end."""

    def __init__(self, versions: Versions, jobs: dict[str, float]) -> None:
        self._ledger = Ledger(versions)
        self._jobs = jobs

    def __enter__(self) -> Ledger:
        self._ledger.load(self._jobs)
        return self._ledger

    def __exit__(self, kind: type[BaseException] | None, *about: object) -> None:
        if kind is None:
            self._ledger.flush()


def _parts(of: Sequence[float], size: int) -> Iterator[Sequence[float]]:
    for begin in range(0, len(of), size):
        yield of[begin : begin + size]


def _nodes(chance: random.Random) -> list[Candidate]:
    return [
        Candidate(
            name=f"node-{number}",
            state=NodeState.ACTIVE,
            labels=(),
            arch="x86_64",
            slots=2,
            live=0,
            room=3,
            score=score(
                # With the digits that an agent tells.
                Metrics(
                    cpu_count=4,
                    free_cpu_percent=round(100 * chance.random(), 1),
                    memory_gb=16.0,
                    free_memory_gb=round(16 * chance.random(), 3),
                    free_memory_percent=round(100 * chance.random(), 1),
                    events_per_second=round(1000 * chance.random(), 1),
                    temperature_c=round(40 + 10 * chance.random(), 1),
                ),
                ScoreSettings(),
            ),
        )
        for number in range(pages.NODES)
    ]
