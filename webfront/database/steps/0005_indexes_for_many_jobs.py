"""The indexes with which the lists of jobs take as long among a million finished jobs as among a hundred.

Those that are the beginning of another one go: they cost a write and serve no query that the longer one does not.
"""

from __future__ import annotations

from typing import Final

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_index("job", ["state", "id"])
    change.add_index("job", ["user_id", "state", "id"])
    change.add_index("job", ["user_id", "app_version_id", "id"])
    change.add_index("job", ["app_version_id", "id"])
    change.add_index("attempt", ["state", "node"])
    for table, column in (
        ("job", "user_id"),
        ("job", "app_version_id"),
        ("app_version", "app_id"),
        ("attempt", "job_id"),
        ("attempt", "state"),
        ("log_chunk", "attempt_id"),
        ("play_event", "play_id"),
    ):
        change.drop_index(table, [column])
