"""Chores: what time brings about, each run by the leading scheduler in a thread of its own.

A chore is a name, a pace and a function. Its row says when it ran last, how long it took, what it did or why it failed,
and when it is due again; a scheduler that takes over goes on from there. A chore may be cut off on any line and is then
run again, by whoever leads: it does its work in steps that may be repeated, and writes only in `term.transaction()`, so
that nothing of it counts once another scheduler leads.

A chore that fails is tried again after its pace, or after a minute where its pace is longer. With the scheduler stopped
none of them runs: what a chore does may come late, and then has to say so (as schedules tell of times they missed).
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from webfront.activity.term import Deposed, Term
from webfront.activity.trouble import LONGEST, told
from webfront.database.rows import change, rows

_log = logging.getLogger(__name__)

RETRY_S: Final = 60.0
_NOTE_EVERY_S: Final = 60.0
"""How often a chore that runs every few seconds is noted, as long as nothing changes about it."""

_NAMES: Final = "SELECT name FROM chore"
_FORGET: Final = "DELETE FROM chore WHERE name IN (?*)"
_FIND: Final = "SELECT last_at, next_at, failing_since FROM chore WHERE name = ?"
_BEGIN: Final = (
    "INSERT INTO chore (last_at, took_s, told, failing_since, error, next_at, name) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_NOTE: Final = (
    "UPDATE chore SET last_at = ?, took_s = ?, told = ?, failing_since = ?, error = ?, next_at = ? WHERE name = ?"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Chore:
    """A chore; one line in `webfront.scheduling.chores`."""

    name: str
    every_s: float
    run: Callable[[Term], str]
    """Does the work, and says in a few words what it did; an empty text when there was nothing to do."""


class _Name(NamedTuple):
    name: str


class _LastRun(NamedTuple):
    last_at: float
    next_at: float
    failing_since: float | None


def due_in(chore: Chore, now: float) -> float:
    """In how many seconds the chore is due; one that never ran is due now."""
    last = _last_run(chore)
    # A clock that was set back, or a longer pace in an earlier version, is not waited for.
    return min(chore.every_s, max(0.0, last.next_at - now)) if last else 0.0


def forget_others(known: Sequence[Chore], term: Term) -> None:
    """Remove the rows of chores that this version no longer has. Raises `Deposed`."""
    kept = {chore.name for chore in known}
    others = [one.name for one in rows(_Name, _NAMES) if one.name not in kept]
    if others:
        with term.transaction():
            change(_FORGET, others)


def run(chore: Chore, term: Term) -> float:
    """Run the chore and note how it went. Returns in how many seconds it is due again. Raises `Deposed`."""
    at, began = term.now(), time.monotonic()
    words, error = "", ""
    try:
        words = chore.run(term)
    except Deposed:
        raise
    except Exception as failure:
        error = told(failure)
        _log.warning(
            "the chore %s failed: %s",
            chore.name,
            failure,
            exc_info=failure,
            extra={"event.action": "chore.fail", "skerry.chore": chore.name},
        )
    if words:
        _log.info("%s: %s", chore.name, words, extra={"event.action": "chore.run", "skerry.chore": chore.name})
    wait = min(chore.every_s, RETRY_S) if error else chore.every_s
    _note(chore, term, at, time.monotonic() - began, words, error, wait)
    return wait


def _note(chore: Chore, term: Term, at: float, took_s: float, words: str, error: str, wait: float) -> None:
    last = _last_run(chore)
    unchanged = last is not None and bool(last.failing_since) == bool(error)
    if last is not None and unchanged and chore.every_s < _NOTE_EVERY_S and 0 <= at - last.last_at < _NOTE_EVERY_S:
        return  # often run, and nothing new about it: a row a minute is enough
    since = last.failing_since if last else None
    failing_since = (since or at) if error else None
    with term.transaction():
        change(_NOTE if last else _BEGIN, at, took_s, words[:LONGEST], failing_since, error, at + wait, chore.name)


def _last_run(chore: Chore) -> _LastRun | None:
    return next(iter(rows(_LastRun, _FIND, chore.name)), None)
