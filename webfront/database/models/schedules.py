"""Schedules of jobs, and what became of each time they named."""

from __future__ import annotations

import peewee

from webfront.database.models.accounts import User
from webfront.database.models.base import JsonField, Model


class Schedule(Model):
    """What makes jobs at times of a wall clock."""

    id = peewee.CharField(26, primary_key=True)
    """A ULID."""
    user = peewee.ForeignKeyField(User, backref="schedules")
    user_id: int
    name = peewee.CharField(64)
    app = peewee.CharField(64)
    """The app's name: its newest version at each time is the one that runs, unless"""
    version = peewee.CharField(64, null=True)
    """one is pinned, by its whole hash."""
    cron = peewee.CharField(100, null=True)
    """A cron expression, or else"""
    once_at = peewee.CharField(16, null=True)
    """one date and time of the wall clock, as `2026-12-24T18:30`."""
    zone = peewee.CharField(64)
    """Whose wall clock: a name of the time zone database."""
    input = peewee.CharField(500, null=True)
    """Path relative to the share, `inputs/schedules/<ULID>/<file name>`: kept for the jobs to come."""
    parameters = JsonField(default=dict)
    """Those that were given; a version's defaults are added for each job."""
    when_running = peewee.CharField(8)
    """`skip` or `queue`."""
    state = peewee.CharField(16)
    """`active`, `paused` or `finished`."""
    state_reason = peewee.CharField(500, default="")
    """Why the platform paused or finished it, in words."""
    next_at = peewee.DoubleField(null=True)
    """When it is due next; none unless it is active."""
    revision = peewee.IntegerField(default=0)
    """Raised with each change by a person: what was prepared for an earlier one is not for this one."""
    created_at = peewee.DoubleField()

    class Meta:
        indexes = ((("user", "name"), True), (("state", "next_at"), False))

    @property
    def owned_by(self) -> int:
        return self.user_id


class ScheduleTick(Model):
    """What became of one due time, or of several that were missed together. The unique key keeps each to one job."""

    schedule = peewee.ForeignKeyField(Schedule, backref="ticks", on_delete="CASCADE")
    schedule_id: str
    due_at = peewee.DoubleField()
    """When it was due; the first of those that were missed."""
    until_at = peewee.DoubleField(null=True)
    """The last of those that were missed."""
    count = peewee.IntegerField(default=1)
    at = peewee.DoubleField()
    """When the platform came to it."""
    outcome = peewee.CharField(16)
    """`submitted`, `skipped`, `refused` or `missed`."""
    job = peewee.CharField(26, null=True)
    words = peewee.CharField(500, default="")

    class Meta:
        indexes = ((("schedule", "due_at"), True),)
