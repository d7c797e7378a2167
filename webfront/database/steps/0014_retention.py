"""Settings that change while the platform runs; what is removed by age, and what is to go from the share.

Release 0.1.0 names a job's columns when it writes one, so the new ones may be empty.
"""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, BooleanField, CharField, DoubleField, IntegerField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.create_table("setting", {"name": CharField(64, unique=True), "value": CharField(200)})
    change.create_table(
        "retention_cursor",
        {"name": CharField(32, unique=True), "at": DoubleField(), "job": CharField(26)},
    )
    change.create_table(
        "retention_run",
        {
            "what": CharField(32),
            "days": IntegerField(),
            "at": DoubleField(),
            "count": BigIntegerField(),
            "bytes": BigIntegerField(),
        },
    )
    change.create_table(
        "removal",
        {
            "path": CharField(200, index=True),
            "what": CharField(32),
            "due_at": DoubleField(index=True),
            "claimed": BooleanField(),
            "run": BigIntegerField(null=True),
        },
    )
    for column in ("results_run", "input_run", "log_run"):
        change.add_column("job", column, BigIntegerField(null=True))
    change.add_index("job", ["finished_at"])
    change.add_column("app_version", "deleted_at", DoubleField(null=True))
