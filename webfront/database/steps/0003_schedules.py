"""Schedules of jobs: their table, their due times, and which of them made a job."""

from __future__ import annotations

from typing import Final

from peewee import CharField, DoubleField, ForeignKeyField, IntegerField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    schedule = change.create_table(
        "schedule",
        {
            "id": CharField(26, primary_key=True),
            "user": ForeignKeyField(change.table("user")),
            "name": CharField(64),
            "app": CharField(64),
            "version": CharField(64, null=True),
            "cron": CharField(100, null=True),
            "once_at": CharField(16, null=True),
            "zone": CharField(64),
            "input": CharField(500, null=True),
            "parameters": TextField(),
            "when_running": CharField(8),
            "state": CharField(16),
            "state_reason": CharField(500),
            "next_at": DoubleField(null=True),
            "revision": IntegerField(),
            "created_at": DoubleField(),
        },
        indexes=[(("user", "name"), True), (("state", "next_at"), False)],
    )
    change.create_table(
        "schedule_tick",
        {
            "schedule": ForeignKeyField(schedule, on_delete="CASCADE"),
            "due_at": DoubleField(),
            "until_at": DoubleField(null=True),
            "count": IntegerField(),
            "at": DoubleField(),
            "outcome": CharField(16),
            "job": CharField(26, null=True),
            "words": CharField(500),
        },
        indexes=[(("schedule", "due_at"), True)],
    )
    change.add_column("job", "schedule", CharField(26, null=True))
    change.add_index("job", ["schedule", "id"])
