"""What a database says of its own schema, so that two can be compared: columns, types, defaults, indexes and keys."""

from __future__ import annotations

import peewee

_SQLITE = {
    "columns": 'SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk '
    "FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
    "indexes": 'SELECT m.name, i.name, i."unique", i.partial, c.seqno, c.name '
    "FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c WHERE m.type = 'table'",
    "keys": 'SELECT m.name, k."from", k."table", k."to", k.on_delete, k.on_update '
    "FROM sqlite_master m, pragma_foreign_key_list(m.name) k WHERE m.type = 'table'",
    "tables": "SELECT name, sql FROM sqlite_master WHERE type = 'table'",
}
_MARIADB = {
    "columns": "SELECT table_name, ordinal_position, column_name, column_type, is_nullable, column_default, extra, "
    "character_set_name, collation_name FROM information_schema.columns WHERE table_schema = DATABASE()",
    "indexes": "SELECT table_name, index_name, non_unique, seq_in_index, column_name, sub_part, index_type "
    "FROM information_schema.statistics WHERE table_schema = DATABASE()",
    # A key's own name is the server's affair.
    "keys": "SELECT k.table_name, k.column_name, k.referenced_table_name, k.referenced_column_name, r.delete_rule, "
    "r.update_rule FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r "
    "ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name "
    "AND r.table_name = k.table_name WHERE k.table_schema = DATABASE()",
    "tables": "SELECT table_name, engine, table_collation FROM information_schema.tables "
    "WHERE table_schema = DATABASE()",
}


def described(database: peewee.Database) -> set[tuple[object, ...]]:
    """What there is to say of every table. Two are best compared by `^`, which is empty or names the differences."""
    queries = _MARIADB if isinstance(database, peewee.MySQLDatabase) else _SQLITE
    return {(what, *row) for what, sql in queries.items() for row in database.execute_sql(sql).fetchall()}
