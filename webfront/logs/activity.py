"""What has happened on the platform, as records: one of each fact. From these its use is counted, there as here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from webfront.activity.facts import DEEDS, Fact, Kind
from webfront.database.rows import rows
from webfront.logs.records import Record, encode, moment

DATASET: Final = "skerry.activity"

_NAMES: Final = {"reason": "event.reason", "cause": "skerry.cause", "state": "skerry.state"}
"""What of a fact's `data` is told, and under which name."""

_TIMES: Final = (
    "SELECT j.id, j.submitted_at, a.started_at, a.ended_at FROM job j "
    "LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempts WHERE j.id IN (?*)"
)


class _Times(NamedTuple):
    id: str
    submitted_at: float
    started_at: float | None
    ended_at: float | None


def records_of(facts: Sequence[Fact]) -> Iterator[Record]:
    """A record of each of these facts."""
    ended = [fact.job for fact in facts if fact.kind == Kind.JOB_END]
    times = {one.id: one for one in rows(_Times, _TIMES, ended)} if ended else {}
    for fact in facts:
        yield encode(_name(fact), _fields(fact, times.get(fact.job) if fact.kind == Kind.JOB_END else None))


def _name(fact: Fact) -> str:
    """The number alone would be another fact's, where an older copy of the database was restored."""
    return f"fact-{fact.id:x}-{int(fact.at * 1e6):x}"


def _fields(fact: Fact, times: _Times | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@timestamp": moment(fact.at),
        "event.dataset": DATASET,
        "event.action": fact.kind,
        "event.outcome": fact.outcome,
        "message": f"{fact.kind}: {fact.outcome}",
        "user.name": fact.user or None,
        "skerry.deed": fact.kind in DEEDS,
        "skerry.at": fact.at,
        "skerry.controller": fact.controller or None,
        "skerry.node": fact.node or None,
        "skerry.app": fact.app or None,
        "skerry.job": fact.job or None,
        "skerry.attempt": fact.attempt,
        "skerry.play": fact.play,
    }
    for key, name in _NAMES.items():
        found[name] = fact.data.get(key)
    if times is not None and times.started_at is not None:
        found["skerry.waited_s"] = _length(times.submitted_at, times.started_at)
        found["skerry.ran_s"] = _length(times.started_at, times.ended_at)
    return found


def _length(begin: float, end: float | None) -> float | None:
    """Seconds; between two machines' clocks never less than none."""
    return None if end is None else round(max(0.0, end - begin), 3)
