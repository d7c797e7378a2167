"""Jobs that have ended, with all that is theirs in the database and on the share, for tests of what becomes of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

from webfront.activity.facts import Kind, NewFact, Outcome, record_many
from webfront.database.connection import transaction
from webfront.database.models import AppVersion, Attempt, Job, LogChunk, LogPiece, Ranking, User
from webfront.jobs.identifiers import Ulids
from webfront.jobs.logfiles import write_text
from webfront.jobs.logs import read_log
from webfront.jobs.states import AttemptState, JobState
from wire.messages import Cause

PREDICTIONS = b"row,label\n1,seven\n"
INPUT = b"1,2,3\n"
_OUTPUT = {"name": "predictions.csv", "size": len(PREDICTIONS), "sha256": "0" * 64}
_ulids = Ulids()
RANKING = [[f"node-{number}", 0, 1, False, *[number / 7] * 8, None, 0] for number in range(20)]
"""As it is kept: see `webfront.jobs.rankings`."""
PLACEMENT = {
    "node": "alpha",
    "sentence": "alpha won: it scores highest",
    "ranking": [],
    "excluded": {},
    "considered": 20,
}


def ended_job(
    share: Path,
    version: AppVersion,
    user: User | int,
    at: float,
    *,
    causes: Sequence[Cause] = (Cause.OK,),
    said: Sequence[Sequence[str]] = (("one",), ("two", "three")),
    on_share: int = 0,
) -> str:
    """A job that ended at that moment, after attempts with these causes, each of which said these chunks of lines.

    The text of the last `on_share` chunks is on the share.
    """
    job = _ulids.next()
    state = JobState.SUCCEEDED if causes[-1] is Cause.OK else JobState.FAILED
    folder = share / "inputs" / job
    folder.mkdir(parents=True)
    (folder / "in.csv").write_bytes(INPUT)
    with transaction():
        Job.create(
            id=job, app_version=version, user=user, state=state.value, input=f"inputs/{job}/in.csv",
            cause=causes[-1].value, attempts=len(causes), submitted_at=at - 9, finished_at=at,
        )  # fmt: skip
        facts = [NewFact(Kind.JOB_SUBMIT, at - 9, job=job)]
        for number, cause in enumerate(causes, 1):
            attempt = Attempt.create(
                job=job, number=number, node="alpha", state=AttemptState.ENDED.value, placement=PLACEMENT,
                placed_at=at - 8, started_at=at - 7, ended_at=at, cause=cause.value,
                log_lines=sum(map(len, said)), outputs=[_OUTPUT] if cause is Cause.OK else [],
            )  # fmt: skip
            Ranking.create(job=job, number=number, nodes=RANKING)
            starts = itertools.accumulate(map(len, said), initial=1)
            for chunk, (first, lines) in enumerate(zip(starts, said, strict=False)):
                if chunk < len(said) - on_share:
                    LogChunk.create(attempt=attempt, first=first, count=len(lines), at=at, text="\n".join(lines))
                else:
                    _store_lines(share, attempt, first, lines, at)
            well = Outcome.SUCCESS if cause is Cause.OK else Outcome.FAILURE
            facts.append(NewFact(Kind.ATTEMPT_END, at, well, job=job, attempt=number))
            store_results(share, job, number)
        facts.append(NewFact(Kind.JOB_END, at, job=job))
        record_many(facts)
    return job


def _store_lines(share: Path, attempt: Attempt, first: int, lines: Sequence[str], at: float) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    write_text(share, attempt.job.id, attempt.number, attempt.log_bytes, text)
    LogPiece.create(
        attempt=attempt, first=first, count=len(lines), at=at,
        position=attempt.log_bytes, size=len(text), lines=len(lines),
    )  # fmt: skip
    attempt.log_bytes += len(text)
    attempt.save()


def read_lines(share: Path, job: str) -> list[tuple[int, str, tuple[tuple[int, int], ...]]]:
    """Each line of its newest attempt's log as it is read, a few at a time, with the gaps."""
    found, after = [], 0
    while True:
        view = read_log(share, Job.get_by_id(job), after=after, attempt=None, limit=7, now=time.time())
        found += [(line.number, line.text, view.gaps) for line in view.lines]
        if view.complete or view.next <= after:
            return found
        after = view.next


def store_results(share: Path, job: str, attempt: int) -> Path:
    """What an attempt stores on the share."""
    results = share / "results" / job / str(attempt)
    (results / "plots").mkdir(parents=True)
    (results / "predictions.csv").write_bytes(PREDICTIONS)
    (results / "plots" / "one.svg").write_bytes(PREDICTIONS)
    return results
