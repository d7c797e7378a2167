"""What is due now, and what was missed. Pure.

A time that the platform comes to late still gets its job for `GRACE_S`, so that a restart loses none. Of several such,
the latest alone does: a burst of jobs helps nobody. The others were missed, and that is told.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from webfront.schedules.times import Times, next_times

GRACE_S: Final = 300.0
MOST_COUNTED: Final = 1000
"""So many missed times are counted; a clock that is years ahead is not to keep the scheduler busy."""


class Missed(NamedTuple):
    first: int
    last: int
    times: int


class Due(NamedTuple):
    now: int | None
    """The time that a job is to be made for."""
    missed: Missed | None


def due_times(times: Times, since: float, now: float) -> Due:
    """What is due at `now`, of the times from `since` on."""
    recent = None
    for due in next_times(times, max(since - 1, now - GRACE_S)):
        if due > now:
            break
        recent = due
    first, last, count = None, 0, 0
    for due in next_times(times, since - 1):
        if due > now or due == recent:
            break
        if count == MOST_COUNTED:
            last = int(now)
            break
        first, last, count = first or due, due, count + 1
    return Due(recent, None if first is None else Missed(first, last, count))
