"""The one place that asks for the time, so that whoever needs it takes it as a parameter."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the epoch."""


def date_of(moment: float) -> str:
    """The day of a moment, in UTC, as `2026-11-27`."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).date().isoformat()


def system_clock() -> float:
    return time.time()
