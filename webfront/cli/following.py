"""Waiting for a job, and showing its log as it is written.

A connection that is slow or cut is no end of it: it is told, what was asked for last is asked for again until an answer
comes, and then the lines that came meanwhile follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TextIO

from webfront.cli.client import Client
from webfront.cli.errors import Unanswered
from webfront.jobs.states import ENDED_JOBS, JobState

_SOONEST_S: Final = 0.1
_LATEST_S: Final = 1.0
_LOST_PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 10.0)
"""Between two tries while no answer comes; the last one again and again."""


def wait(
    client: Client,
    job_id: str,
    *,
    log_to: TextIO | None,
    tell: Callable[[str], None],
    sleep: Callable[[float], None],
    after: int = 0,
    last: int | None = None,
) -> dict[str, Any]:
    """The job once it is over. `tell` gets each change of its state in words; `log_to` the log, when it is wanted.

    Of the log that there is already the lines after `after` are shown, or only the `last` ones.
    """
    told, pause = "", _SOONEST_S
    line = _Line(client, tell, sleep)
    log = _Log(line, job_id, log_to, tell, after, last) if log_to is not None else None
    while True:
        job: dict[str, Any] = line.get(f"jobs/{job_id}")["job"]
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


class _Line:
    """The connection: asks until it is answered, once it was answered before."""

    def __init__(self, client: Client, tell: Callable[[str], None], sleep: Callable[[float], None]) -> None:
        self._client = client
        self._tell = tell
        self._sleep = sleep
        self._was_answered = False

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        tries = 0
        while True:
            try:
                answer = self._client.get(path, **params)
                break
            except Unanswered as error:
                if not self._was_answered:
                    raise
                if not tries:
                    self._tell(f"({error} Trying again; the job goes on.)")
                self._sleep(_LOST_PAUSES_S[min(tries, len(_LOST_PAUSES_S) - 1)])
                tries += 1
        if tries:
            self._tell("(It answers again.)")
        self._was_answered = True
        return answer


class _Log:
    """The newest attempt's log, each line once; that of a further attempt from its beginning."""

    def __init__(
        self, line: _Line, job_id: str, out: TextIO, tell: Callable[[str], None], after: int, last: int | None
    ) -> None:
        self._line = line
        self._job_id = job_id
        self._out = out
        self._tell = tell
        self._attempt = 0
        self._after = after
        self._last = last

    def show(self, job: dict[str, Any]) -> bool:
        """Print what is new. Whether there was something."""
        if not job["attempts"]:
            return False
        newest = int(job["attempts"][-1]["number"])
        if newest != self._attempt:
            if self._attempt:
                self._after, self._last = 0, None
            self._attempt = newest
        news = False
        while True:
            page = self._line.get(f"jobs/{self._job_id}/log", after=self._after, last=self._last, attempt=self._attempt)
            self._last = None
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
