"""Joining the chunks of a log once its job has ended.

While an attempt runs its lines come a few at a time, and each few are a row with a key of its own: so they are there at
once. Of a log that is whole a row for many lines is enough, and takes half of the room. The lines stay what they are;
only when each of them came is forgotten, so this waits until whoever carries them elsewhere has had them.

Crash order: a transaction makes of some rows one. Killed anywhere, the next run comes to the same jobs again, and finds
what is left to join.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from webfront.activity.term import Term
from webfront.database.rows import change, octets, rows
from webfront.retention.facts import read_until
from webfront.retention.runs import ended_jobs, go_on, move

LARGEST: Final = 64 * 1024
"""Bytes of a joined chunk: what is read for a single line of it."""
_SETTLED_S: Final = 5.0
_JOBS: Final = 100
_AT_ONCE: Final = 500
"""Chunks that one transaction joins."""

_THERE: Final = (
    "SELECT c.id, c.attempt_id, c.`first`, c.`count` AS said, {} AS size FROM log_chunk c "
    "JOIN attempt a ON a.id = c.attempt_id WHERE a.job_id IN (?*) ORDER BY c.attempt_id, c.`first`"
)
_TEXTS: Final = "SELECT id, text FROM log_chunk WHERE id IN (?*) ORDER BY `first`"
_JOIN: Final = "UPDATE log_chunk SET `count` = ?, text = ? WHERE id = ?"
_DELETE: Final = "DELETE FROM log_chunk WHERE id IN (?*)"


class _There(NamedTuple):
    id: int
    attempt_id: int
    first: int
    said: int
    size: int


class _Text(NamedTuple):
    id: int
    text: str


def join_chunks(term: Term, *, consumers: Collection[str]) -> str:
    """The chore. Raises `Deposed`."""
    joined = 0
    while found := ended_jobs("log chunks", min(term.now() - _SETTLED_S, read_until(consumers, term.now())), _JOBS):
        there = rows(_There, _THERE.format(octets("c.text")), [job.id for job in found])
        for part in _parts(_runs(there)):
            with term.transaction():
                joined += sum(_join(run) for run in part)
            if not go_on(term):
                return ""
        with term.transaction():
            move("log chunks", found[-1].finished_at, found[-1].id)
        if not go_on(term):
            break
    return f"joined {joined} chunks of logs" if joined else ""


def _runs(there: list[_There]) -> Iterator[list[_There]]:
    """Chunks that follow one another without a gap or an overlap, as many as may become one; no single ones."""
    run: list[_There] = []
    size = 0
    for one in there:
        last = run[-1] if run else None
        follows = last is not None and last.attempt_id == one.attempt_id and last.first + last.said == one.first
        if not follows or size + one.size > LARGEST or len(run) == _AT_ONCE:
            if len(run) > 1:
                yield run
            run, size = [], 0
        run.append(one)
        size += one.size + 1
    if len(run) > 1:
        yield run


def _parts(runs: Iterator[list[_There]]) -> Iterator[list[list[_There]]]:
    """What one transaction joins."""
    part: list[list[_There]] = []
    for run in runs:
        if part and sum(map(len, part)) + len(run) > _AT_ONCE:
            yield part
            part = []
        part.append(run)
    if part:
        yield part


def _join(run: list[_There]) -> int:
    """Make one of these. Returns how many went into it; 0 where they are not as they were found."""
    texts = rows(_Text, _TEXTS, [one.id for one in run])
    if len(texts) != len(run):
        return 0
    change(_JOIN, sum(one.said for one in run), "\n".join(one.text for one in texts), run[0].id)
    change(_DELETE, [one.id for one in run[1:]])
    return len(run)
