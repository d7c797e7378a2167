"""What a delivery says: a small JSON object, described in docs/webhooks.md. Fields are added, never changed."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from webfront.database.models import Job

JOB_END: Final = "job.end"
TEST: Final = "webhook.test"
LONGEST_MESSAGE: Final = 1000


def job_end(delivery: str, job: Job) -> str:
    """The body that tells of a job's end. `job` comes with its app version and app."""
    return _text(
        delivery,
        JOB_END,
        job.finished_at,
        job={
            "id": job.id,
            "app": job.app_version.app.name,
            "version": job.app_version.hash,
            "state": job.state,
            "cause": job.cause,
            "message": _cut(job.message),
            "attempts": job.attempts,
            "submitted_at": job.submitted_at,
            "finished_at": job.finished_at,
        },
        path=f"/jobs/{job.id}",
    )


def test(delivery: str, webhook: int, now: float) -> str:
    """The body of a delivery that a person asked for, to see whether it arrives."""
    return _text(delivery, TEST, now, path=f"/webhooks/{webhook}")


def _text(delivery: str, kind: str, at: float | None, **more: Any) -> str:
    return msgspec.json.encode({"id": delivery, "kind": kind, "at": at, **more}).decode()


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
