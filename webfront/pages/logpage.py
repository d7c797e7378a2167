"""A job's log on its page: the lines and gaps in order, and where the page's script goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from webfront.accounts.views import Account
from webfront.errors import Unavailable
from webfront.jobs.service import JobService
from webfront.jobs.views import JobView, LogView

SHOWN: Final = 1000
"""Lines on the page: of a longer log the last ones, or those from a line on."""
_AT_ONCE: Final = 5000
_DIGITS: Final = 11


class Entry(NamedTuple):
    number: int
    text: str
    gap: bool = False


def log_page(jobs: JobService, account: Account, job: JobView, wanted: str, line: str) -> dict[str, object]:
    """What the template needs: the last lines of the newest attempt, or of the one that `wanted` names.

    Where `line` is a number, those from that line on, which are then not followed.
    """
    pinned = wanted.isdecimal() and any(attempt.number == int(wanted) for attempt in job.attempts)
    shown = next((one for one in job.attempts if pinned and one.number == int(wanted)), None)
    if shown is None and job.attempts:
        shown = job.attempts[-1]
    number = shown.number if pinned and shown else None
    first = int(line) if line.isdecimal() and len(line) < _DIGITS else None
    view = LogView(shown.number if shown else 0, (), 0, (), complete=job.log_deleted is not None)
    away = ""
    if job.log_deleted is None:
        after, last = (0, SHOWN) if first is None else (max(0, first - 1), None)
        try:
            view = jobs.log(account, job.id, after=after, last=last, attempt=number, limit=SHOWN)
        except Unavailable as error:
            away = str(error)
    found = entries(view)
    return {
        "log": view,
        "log_entries": found,
        "log_before": found[0].number - 1 if found else view.newest,
        "log_line": first,
        "log_away": away,
        "pinned": pinned,
    }


def entries(view: LogView) -> list[Entry]:
    """Lines and gaps in the order of their numbers."""
    found = [Entry(line.number, line.text) for line in view.lines]
    found += [Entry(first, _gap(first, last), gap=True) for first, last in view.gaps]
    return sorted(found, key=lambda entry: entry.number)


def whole_log(jobs: JobService, account: Account, job_id: str, attempt: int | None) -> Iterator[bytes]:
    """The log as text, a piece at a time. Errors are raised here, before the first piece is sent."""
    first = jobs.log(account, job_id, attempt=attempt, limit=_AT_ONCE)
    return _pieces(jobs, account, job_id, first)


def _pieces(jobs: JobService, account: Account, job_id: str, view: LogView) -> Iterator[bytes]:
    while True:
        lines = entries(view)
        yield "".join(f"[{entry.text}]\n" if entry.gap else f"{entry.text}\n" for entry in lines).encode()
        if not lines or view.complete or not view.attempt:
            return
        view = jobs.log(account, job_id, after=view.next, attempt=view.attempt, limit=_AT_ONCE)


def _gap(first: int, last: int) -> str:
    return f"line {first} is missing" if first == last else f"lines {first} to {last} are missing"
