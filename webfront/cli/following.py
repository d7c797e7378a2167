"""Waiting for a job, and showing its log as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TextIO

from webfront.cli.client import Client
from webfront.jobs.states import ENDED_JOBS, JobState

_SOONEST_S: Final = 0.1
_LATEST_S: Final = 1.0


def wait(
    client: Client, job_id: str, *, log_to: TextIO | None, tell: Callable[[str], None], sleep: Callable[[float], None]
) -> dict[str, Any]:
    """The job once it is over. `tell` gets each change of its state in words; `log_to` the log, when it is wanted."""
    told, pause = "", _SOONEST_S
    log = _Log(client, job_id, log_to, tell) if log_to is not None else None
    while True:
        job: dict[str, Any] = client.get(f"jobs/{job_id}")["job"]
        now = _in_words(job)
        news = now != told
        if news:
            tell(now)
            told = now
        if log is not None:
            # After the state: once the job is seen to be over, what is read now is all there is.
            news = log.show(job) or news
        if job["state"] in ENDED_JOBS:
            return job
        pause = _SOONEST_S if news else min(pause * 1.5, _LATEST_S)
        sleep(pause)


def _in_words(job: dict[str, Any]) -> str:
    state = str(job["state"])
    attempts = job["attempts"]
    if state == JobState.QUEUED:
        return f"queued: {job['waiting_reason']}" if job["waiting_reason"] else "queued"
    if state in ENDED_JOBS or not attempts:
        return f"{state}: {job['message']}" if job["message"] else state
    newest = attempts[-1]
    where = f"{state} on {newest['node']}" + (f", attempt {newest['number']}" if newest["number"] > 1 else "")
    return f"{where}: {newest['preparing']}" if state == JobState.PLACED and newest["preparing"] else where


class _Log:
    """The newest attempt's log, from its beginning, each line once."""

    def __init__(self, client: Client, job_id: str, out: TextIO, tell: Callable[[str], None]) -> None:
        self._client = client
        self._job_id = job_id
        self._out = out
        self._tell = tell
        self._attempt = 0
        self._after = 0

    def show(self, job: dict[str, Any]) -> bool:
        """Print what is new. Whether there was something."""
        if not job["attempts"]:
            return False
        newest = int(job["attempts"][-1]["number"])
        if newest != self._attempt:
            self._attempt, self._after = newest, 0
        news = False
        while True:
            page = self._client.get(f"jobs/{self._job_id}/log", after=self._after, attempt=self._attempt)
            print_page(page, self._out, self._tell)
            moved = page["next"] > self._after
            news, self._after = news or moved, page["next"]
            if page["complete"] or not moved:
                return news


def print_page(page: dict[str, Any], out: TextIO, tell: Callable[[str], None]) -> None:
    """Lines to `out`, and each gap told in its place."""
    gaps: dict[int, int] = dict(page["gaps"])
    for line in page["lines"]:
        for first in sorted(gaps):
            if first < line["number"]:
                tell(f"(lines {first} to {gaps.pop(first)} are missing)")
        print(line["text"], file=out)
    for first in sorted(gaps):
        tell(f"(lines {first} to {gaps[first]} are missing)")
    out.flush()
