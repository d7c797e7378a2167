"""Schedules as pages and the API show them, and as they are wished for."""

from __future__ import annotations

import msgspec

from webfront.schedules.states import ScheduleState, TickOutcome, WhenRunning


class Plan(msgspec.Struct, frozen=True):
    """All that a person says about a schedule, but for its input."""

    name: str
    app: str
    zone: str
    cron: str | None = None
    """This, or"""
    at: str | None = None
    """one date and time, as `2026-12-24T18:30`."""
    version: str | None = None
    """None: the newest at each time."""
    parameters: dict[str, str] = {}
    when_running: WhenRunning = WhenRunning.SKIP


class TickView(msgspec.Struct, frozen=True):
    """What became of a due time, or of several that were missed together."""

    due_at: float
    until_at: float | None
    """The last of those that were missed."""
    count: int
    at: float
    outcome: TickOutcome
    job: str | None
    words: str


class ScheduleView(msgspec.Struct, frozen=True):
    id: str
    name: str
    user: str
    app: str
    version: str | None
    """The pinned one; None: the newest at each time."""
    cron: str | None
    at: str | None
    zone: str
    words: str
    """Its times, in words."""
    when_running: WhenRunning
    state: ScheduleState
    state_reason: str
    next_at: float | None
    next_times: tuple[float, ...]
    """The next five."""
    next_words: tuple[str, ...]
    input: str | None
    """The file's name."""
    parameters: dict[str, str]
    created_at: float
    last: TickView | None
    """What became of its last time."""
    ticks: tuple[TickView, ...] = ()
    """Newest first; empty in lists."""


class Preview(msgspec.Struct, frozen=True):
    """What a cron expression, or a date and time, comes to."""

    words: str
    next_times: tuple[float, ...]
    next_words: tuple[str, ...]
