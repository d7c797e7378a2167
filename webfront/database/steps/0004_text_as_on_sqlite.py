"""On MySQL, text of any length that is compared as SQLite compares it: character by character.

Release 0.1.0 left both to the server: a TEXT ends at 64 KiB, and by most servers' defaults `Ada` is `ada` and `ada `.
Each table that differs is written anew, which takes as long as to copy it.
"""

from __future__ import annotations

from typing import Final

from webfront.database.change import Change

OLDEST_CODE: Final = 1

_TABLES: Final = (
    "user", "session", "api_token", "sign_in_failure", "node", "app", "app_version", "job", "attempt", "log_chunk",
    "play", "play_event", "leadership", "schema_version", "schema_step",
)  # fmt: skip
_DIFFERENT: Final = (
    "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ? "
    "AND table_collation <> ? "
    "UNION SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? "
    "AND (collation_name <> ? OR data_type IN ('text', 'mediumtext'))"
)
_TEXTS: Final = (
    "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_schema = DATABASE() "
    "AND table_name = ? AND data_type IN ('text', 'mediumtext', 'longtext') ORDER BY ordinal_position"
)


def apply(change: Change) -> None:
    if not change.on_mysql:
        return
    text = f"CHARACTER SET utf8mb4 COLLATE {change.collation}"
    different = [
        table for table in _TABLES if change.rows(_DIFFERENT, table, change.collation, table, change.collation)
    ]
    if {"job", "attempt"} & set(different):
        # The one key that is text: while it is referred to, neither side can change how it is compared.
        change.drop_foreign_key("attempt", "job_id")
    for table in different:
        longer = [
            f", MODIFY `{column}` LONGTEXT {text} {'NULL' if nullable == 'YES' else 'NOT NULL'}"
            for column, nullable in change.rows(_TEXTS, table)
        ]
        change.execute(f"ALTER TABLE `{table}` CONVERT TO {text}{''.join(longer)}")
    change.add_foreign_key("attempt", "job_id", "job", "id", on_delete="CASCADE", name="attempt_ibfk_1")
