"""Rows by name, and many in one statement: what peewee's models would do one row at a time, each query made anew.

The statements are ours and constant; values always travel as parameters: `?` stands for a value, `(?*)` for a list of
them, of which none may be empty. Names are quoted with backticks, which SQLite and MySQL both understand. Errors come
out as peewee's.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import peewee

from webfront.database import models

R = TypeVar("R", bound=NamedTuple)

_pickers: Final[dict[tuple[type[NamedTuple], str], Callable[[Sequence[Any]], Sequence[Any]] | None]] = {}
"""By what is wanted of which statement."""


def rows(kind: type[R], sql: str, *values: Any) -> list[R]:
    """The rows of a query as tuples of `kind`, each of whose fields is the column of that name.

    Raises TypeError when the query lacks a column that the kind wants.
    """
    cursor = _execute(sql, values)
    found = cursor.fetchall()
    if (kind, sql) not in _pickers:
        _pickers[kind, sql] = _picking(kind, tuple(column[0] for column in cursor.description))
    pick = _pickers[kind, sql]
    return list(map(kind._make, found if pick is None else map(pick, found)))


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


def shared(sql: str) -> str:
    """The query with its rows held, but not from others that hold them so; SQLite's needs no holding, see `locked`.

    Outside a transaction it only waits for those that are just writing such rows, on MySQL.
    """
    return f"{sql} LOCK IN SHARE MODE" if isinstance(models.database.obj, peewee.MySQLDatabase) else sql


def unless_there(sql: str) -> str:
    """The `INSERT` so that a row whose unique key is taken is no error: it is left out, and `change` returns 0.

    MySQL waits for a transaction that is just writing or removing such a row. It cuts what is too long, so check that.
    """
    word = "IGNORE" if isinstance(models.database.obj, peewee.MySQLDatabase) else "OR IGNORE"
    return sql.replace("INSERT", f"INSERT {word}", 1)


def whole(number: str) -> str:
    """The expression's number without what is after the point, as SQL. For numbers that are not negative."""
    # MySQL's CAST rounds, and SQLite's FLOOR may not be built in.
    return f"FLOOR({number})" if isinstance(models.database.obj, peewee.MySQLDatabase) else f"CAST({number} AS INTEGER)"


def octets(text: str) -> str:
    """How many bytes a text takes, as SQL."""
    # SQLite's LENGTH counts characters.
    on_mysql = isinstance(models.database.obj, peewee.MySQLDatabase)
    return f"LENGTH({text})" if on_mysql else f"LENGTH(CAST({text} AS BLOB))"


def many(sql: str, parameters: Iterable[Sequence[Any]]) -> None:
    """Run a statement once for each sequence of parameters, within the present transaction."""
    batch = [tuple(one) for one in parameters]
    if not batch:
        return
    database = models.database.obj
    with peewee.__exception_wrapper__:  # type: ignore[attr-defined]  # not in its type stubs
        database.cursor().executemany(_marked(sql, database.param, ()), batch)


def _execute(sql: str, values: Sequence[Any]) -> Any:
    statement, parameters = _expand(sql, values)
    return models.database.execute_sql(statement, parameters)


def _picking(kind: type[NamedTuple], names: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """What takes the wanted columns out of a row, in their order; None where the row is just them."""
    if names == kind._fields:
        return None
    lacking = [name for name in kind._fields if name not in names]
    if lacking:
        raise TypeError(f"{kind.__name__} wants {', '.join(lacking)}, and the query has {', '.join(names)}")
    places = [names.index(name) for name in kind._fields]
    return operator.itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)


def _expand(sql: str, values: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    mark = models.database.obj.param
    listed = _listed(sql)
    if not any(listed):
        return _marked(sql, mark, ()), values
    parameters: list[Any] = []
    lengths: list[int] = []
    for is_list, value in zip(listed, values, strict=True):
        if is_list:
            padded = _padded(value)
            parameters.extend(padded)
            lengths.append(len(padded))
        else:
            parameters.append(value)
    return _marked(sql, mark, tuple(lengths)), parameters


@functools.lru_cache(500)
def _listed(sql: str) -> tuple[bool, ...]:
    """For each value of a statement, whether it is a list."""
    return tuple(rest.startswith("*") for rest in sql.split("?")[1:])


@functools.lru_cache(2000)
def _marked(sql: str, mark: str, lengths: tuple[int, ...]) -> str:
    """The statement as the database's driver takes it, with lists of these lengths."""
    first, *rests = sql.split("?")
    left = iter(lengths)
    pieces = [first]
    for rest in rests:
        is_list = rest.startswith("*")
        pieces += [", ".join([mark] * next(left)), rest[1:]] if is_list else [mark, rest]
    return "".join(pieces)


def _padded(values: Sequence[Any]) -> Sequence[Any]:
    """As many values as a power of two, the last one repeated.

    In a list of which a column is one, that changes nothing. But so lists of any length make few different statements,
    and SQLite keeps those it has prepared: to prepare one takes longer than to run it.
    """
    if not values:
        raise ValueError("a list of values is empty")
    lacking = (1 << (len(values) - 1).bit_length()) - len(values)
    return [*values, *[values[-1]] * lacking] if lacking else values
