"""What every table stands on: the database they are bound to, and the kinds of fields that are ours."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import peewee

database = peewee.DatabaseProxy()
"""Set once at start by `webfront.database.connection.open_database`."""


LARGEST_NUMBER: Final = 2**31 - 1
"""The largest an integer column holds. SQLite's hold more, and not without an end either."""


class JsonField(peewee.TextField):
    """A value kept as JSON text, on SQLite and MySQL alike."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def python_value(self, value: str | None) -> Any:
        return None if value is None else msgspec.json.decode(value)


class LongTextField(peewee.TextField):
    """Text whose column release 0.1.0 declared by this name. On MySQL every text is a LONGTEXT (see `connection`)."""

    field_type = "LONGTEXT"


class PartialIndex(peewee.ModelIndex):
    """An index of some rows only; on MySQL, which has none such, of all of them."""

    def __sql__(self, ctx: Any) -> Any:
        if not isinstance(database.obj, peewee.MySQLDatabase):
            return super().__sql__(ctx)  # type: ignore[no-untyped-call]  # as all that peewee makes statements by
        whole: Any = self.clone()
        whole._where = None
        return super(PartialIndex, whole).__sql__(ctx)  # type: ignore[no-untyped-call]


class Model(peewee.Model):
    id: Any
    # peewee adds it, and `<name>_id` beside each foreign key; they are named for the type checker alone.

    class Meta:
        database = database
        legacy_table_names = False
