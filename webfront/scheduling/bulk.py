"""Many rows in one statement, for the scheduler's transactions: what peewee's models would do one row at a time.

The statements are ours and constant; values always travel as parameters. Names are quoted with backticks, which SQLite
and MySQL both understand. Errors come out as peewee's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import peewee

from webfront.database import models


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query. `?` stands for a value, `(?*)` for a list of them, of which none may be empty."""
    statement, parameters = _expand(sql, values)
    return list(models.database.execute_sql(statement, parameters).fetchall())


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
