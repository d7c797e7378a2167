"""Rows by name, and many in one statement: what peewee's models would do one row at a time, each query made anew.

The statements are ours and constant; values always travel as parameters: `?` stands for a value, `(?*)` for a list of
them, of which none may be empty. Names are quoted with backticks, which SQLite and MySQL both understand. Errors come
out as peewee's.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import peewee

from webfront.database import models

R = TypeVar("R", bound=NamedTuple)


def rows(kind: type[R], sql: str, *values: Any) -> list[R]:
    """The rows of a query as tuples of `kind`, each of whose fields is the column of that name.

    Raises TypeError when the query lacks a column that the kind wants.
    """
    cursor = _execute(sql, values)
    names = tuple(column[0] for column in cursor.description)
    found = cursor.fetchall()
    if names != kind._fields:
        found = map(_picking(kind, names), found)
    return [kind._make(row) for row in found]


def value(sql: str, *values: Any) -> Any:
    """The first column of a query's first row; None when there is no row."""
    row = _execute(sql, values).fetchone()
    return None if row is None else row[0]


def change(sql: str, *values: Any) -> int:
    """Run a statement that changes rows; returns how many. Values stand as in `rows`."""
    return int(_execute(sql, values).rowcount)


def locked(sql: str) -> str:
    """The query with its rows held until the transaction ends; SQLite's holds the whole database already."""
    return f"{sql} FOR UPDATE" if isinstance(models.database.obj, peewee.MySQLDatabase) else sql


def many(sql: str, parameters: Iterable[Sequence[Any]]) -> None:
    """Run a statement once for each sequence of parameters, within the present transaction."""
    batch = [tuple(one) for one in parameters]
    if not batch:
        return
    database = models.database.obj
    with peewee.__exception_wrapper__:  # type: ignore[attr-defined]  # not in its type stubs
        database.cursor().executemany(sql.replace("?", database.param), batch)


def _execute(sql: str, values: Sequence[Any]) -> Any:
    statement, parameters = _expand(sql, values)
    return models.database.execute_sql(statement, parameters)


def _picking(kind: type[NamedTuple], names: Sequence[str]) -> Any:
    """What takes the wanted columns out of a row, in their order."""
    lacking = [name for name in kind._fields if name not in names]
    if lacking:
        raise TypeError(f"{kind.__name__} wants {', '.join(lacking)}, and the query has {', '.join(names)}")
    places = [names.index(name) for name in kind._fields]
    return operator.itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)


def _expand(sql: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    parameters: list[Any] = []
    pieces: list[str] = []
    given = iter(values)
    mark = models.database.obj.param
    rest = sql
    while "?" in rest:
        before, _, rest = rest.partition("?")
        value = next(given)
        pieces.append(before)
        if rest.startswith("*"):
            rest = rest[1:]
            pieces.append(", ".join([mark] * len(value)))
            parameters.extend(value)
        else:
            pieces.append(mark)
            parameters.append(value)
    pieces.append(rest)
    return "".join(pieces), parameters
