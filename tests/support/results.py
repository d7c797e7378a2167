"""Results of a job as they lie on the share once it has succeeded, without a node that ran it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from webfront.database.models import Attempt, Job
from webfront.jobs.states import AttemptState, JobState
from wire.messages import Cause


def have_result(share: Path, job: str, name: str, content: bytes, times: int = 1) -> str:
    """Have this job succeed with one result, `times` the content. Returns its SHA-256."""
    folder = share / "results" / job / "1"
    folder.mkdir(parents=True)
    digest = hashlib.sha256()
    with (folder / name).open("wb") as file:
        for _ in range(times):
            digest.update(content)
            file.write(content)
    output = {"name": name, "size": len(content) * times, "sha256": digest.hexdigest()}
    Attempt.create(
        job=job,
        number=1,
        node="alpha",
        state=AttemptState.ENDED,
        placement={},
        placed_at=time.time(),
        cause=Cause.OK,
        outputs=[output],
    )
    Job.update(state=JobState.SUCCEEDED, attempts=1, finished_at=time.time()).where(Job.id == job).execute()
    return digest.hexdigest()
