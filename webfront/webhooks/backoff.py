"""When a delivery is tried again, and for how long a failing webhook is left alone. Pure.

A delivery is tried for a day: after 10 s, 30 s, 1, 5 and 15 minutes, then every hour, each pause longer or shorter by
up to a fifth, so that what failed together does not come back together. The last try comes when the day is over.

A webhook whose newest try failed is left alone for a while too, however many deliveries wait: then one of them is
tried, and only when that arrives do the others follow.
"""

from __future__ import annotations

from typing import Final

DAY_S: Final = 24 * 3600.0
"""For how long a delivery is tried."""
_PAUSES_S: Final = (10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_JITTER: Final = 0.2
_LONGEST_REST_S: Final = 900.0
"""So that a target that is back is noticed soon; about a hundred requests a day to one that is not."""


def pause(tries: int, chance: float) -> float:
    """Seconds until a delivery is tried again, after this many tries (1 or more). `chance` is from 0 to 1."""
    return _PAUSES_S[min(tries, len(_PAUSES_S)) - 1] * (1 + _JITTER * (2 * chance - 1))


def next_try(tries: int, now: float, give_up_at: float, chance: float) -> float | None:
    """When a delivery is tried again that has just failed; None when its day is over."""
    return None if now >= give_up_at else min(now + pause(tries, chance), give_up_at)


def rest(failures: int, chance: float) -> float:
    """Seconds for which a webhook is left alone whose last tries, this many (1 or more), failed one after another."""
    return min(pause(failures, chance), _LONGEST_REST_S)
