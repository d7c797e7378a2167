"""Less room for a job that has ended.

How the nodes ranked for an attempt stands in a table of its own, so that what is removed of it leaves whole pages free.
An attempt's `placement` keeps its shape with an empty ranking, which release 0.1.0 can show. What stands there of
earlier attempts stays, is read from there, and goes by its age: to move it would leave the same half-empty pages, a
week sooner.

On SQLite the index by schedule holds those jobs alone that one has made. MySQL has no such indexes.
"""

from __future__ import annotations

from typing import Final

from peewee import CharField, ForeignKeyField, IntegerField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    job = change.table("job", id=CharField(26, primary_key=True))
    change.create_table(
        "ranking",
        {
            "job": ForeignKeyField(job, on_delete="CASCADE", index=False),
            "number": IntegerField(),
            "nodes": TextField(),
        },
        indexes=[(("job", "number"), True)],
    )
    if not change.on_mysql:
        change.drop_index("job", ["schedule", "id"])
        change.add_index("job", ["schedule", "id"], where='"schedule" IS NOT NULL')
