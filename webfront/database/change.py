"""What a step may do to the schema. Each asks the database first, so that a step that was cut off may be run again."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import peewee
from playhouse.migrate import SchemaMigrator, make_index_name

Indexes = Sequence[tuple[Sequence[str], bool]]
"""The names of the fields, and whether the index is unique."""


class Change:
    """The schema of one database, as a step changes it."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database
        self._migrator = SchemaMigrator.from_database(database)
        self.on_mysql: Final = isinstance(database, peewee.MySQLDatabase)

    @functools.cached_property
    def collation(self) -> str:
        """MySQL's name for how SQLite compares text: character by character, a space at the end counts."""
        version = self.rows("SELECT VERSION()")[0][0]
        return "utf8mb4_nopad_bin" if "MariaDB" in version else "utf8mb4_0900_bin"

    def execute(self, sql: str, *values: object) -> None:
        """Run a statement whose repetition does no harm. `?` stands for a value."""
        self._database.execute_sql(sql.replace("?", self._database.param), values)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask. `?` stands for a value."""
        return list(self._database.execute_sql(sql.replace("?", self._database.param), values).fetchall())

    def table(self, name: str, **key: peewee.Field) -> type[peewee.Model]:
        """A table that is there, to refer to; with its key, where that is no number called `id`."""
        return self._model(name, key)

    def create_table(self, name: str, fields: Mapping[str, peewee.Field], indexes: Indexes = ()) -> type[peewee.Model]:
        """Make a table with these columns and, beside those the fields ask for, these indexes."""
        table = self._model(name, fields)
        if not self._database.table_exists(name):
            peewee.SchemaManager(table).create_table(safe=False)
        for field in table._meta.sorted_fields:
            if not field.primary_key and (field.index or field.unique):
                self.add_index(name, [field.column_name], unique=field.unique)
        for names, unique in indexes:
            self.add_index(name, [table._meta.combined[one].column_name for one in names], unique=unique)
        return table

    def add_column(self, table: str, name: str, field: peewee.Field) -> None:
        """Add a column by its database name. It may be empty, or has a default there, since older code leaves it out.

        Raises ValueError where neither holds.
        """
        if not field.null and not field.constraints:
            raise ValueError(f"{table}.{name} may neither be empty nor has it a default in the database")
        self._model(table, {name: field})  # a field knows its type once it is a model's
        if not any(one.name == name for one in self._database.get_columns(table)):
            self._migrator.alter_add_column(table, name, field, allow_not_null=True).run()
        # SQLite's column brings its foreign key along.
        if self.on_mysql and isinstance(field, peewee.ForeignKeyField):
            to = field.rel_model._meta.table_name
            self.add_foreign_key(table, name, to, field.rel_field.column_name, on_delete=field.on_delete)
        if field.index or field.unique:
            self.add_index(table, [name], unique=field.unique)

    def add_index(self, table: str, columns: Sequence[str], *, unique: bool = False, where: str = "") -> None:
        """Add an index, by the name that a model's own would have; on SQLite alone one of some rows only."""
        name = make_index_name(table, columns)
        if not self._has_index(table, name):
            # Not the migrator's `add_index`: it takes a column called `node` for another.
            expressions = [peewee.Entity(one) for one in columns]
            condition = peewee.SQL(f"({where})") if where else None
            index = peewee.Index(name, peewee.Table(table), expressions, unique=unique, where=condition)
            self._database.execute(index)

    def drop_index(self, table: str, columns: Sequence[str]) -> None:
        """Drop the index that `add_index` would make."""
        name = make_index_name(table, columns)
        if self._has_index(table, name):
            self._migrator.drop_index(table, name).run()

    def add_foreign_key(
        self, table: str, column: str, to: str, key: str, *, on_delete: str | None = None, name: str | None = None
    ) -> None:
        """Have the column refer to another table's. On MySQL alone: SQLite's foreign keys come with their columns."""
        if not self._foreign_keys(table, column):
            self._migrator.add_foreign_key_constraint(table, column, to, key, on_delete, constraint_name=name).run()

    def drop_foreign_key(self, table: str, column: str) -> None:
        """Let the column refer to nothing. On MySQL alone."""
        if self._foreign_keys(table, column):
            self._migrator.drop_foreign_key_constraint(table, column).run()

    def _foreign_keys(self, table: str, column: str) -> list[peewee.ForeignKeyMetadata]:
        return [one for one in self._database.get_foreign_keys(table) if one.column == column]

    def _has_index(self, table: str, name: str) -> bool:
        return any(one.name == name for one in self._database.get_indexes(table))

    def _model(self, name: str, fields: Mapping[str, peewee.Field]) -> type[peewee.Model]:
        settings: dict[str, Any] = {"database": self._database, "table_name": name}
        if self.on_mysql:
            settings["table_settings"] = [f"DEFAULT CHARACTER SET utf8mb4 COLLATE {self.collation}"]
        return type(name, (peewee.Model,), {"Meta": type("Meta", (), settings), **fields})
