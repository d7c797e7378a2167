"""Rows by name: the query's columns may stand in any order, and one that is wanted and missing is told."""

from __future__ import annotations

from typing import Any, NamedTuple

import peewee
import pytest

from webfront.database.models import SignInFailure, User
from webfront.database.rows import change, many, rows, unless_there, value


class Failure(NamedTuple):
    user_name: str
    at: float


class Name(NamedTuple):
    user_name: str


@pytest.fixture(autouse=True)
def failures(database: object) -> None:
    SignInFailure.create(user_name="ada", client="here", at=1.5)
    SignInFailure.create(user_name="bob", client="there", at=2.5)


def test_a_field_is_the_column_of_its_name() -> None:
    wanted = [Failure("ada", 1.5), Failure("bob", 2.5)]
    for columns in ("user_name, at", "at, user_name", "client, at, id, user_name", "at, client AS user, user_name"):
        found = rows(Failure, f"SELECT {columns} FROM sign_in_failure ORDER BY id")
        assert found == wanted
        assert found[0].at == 1.5
    assert rows(Name, "SELECT id, user_name FROM sign_in_failure WHERE at > ?", 2) == [Name("bob")]
    assert rows(Failure, "SELECT user_name, at FROM sign_in_failure WHERE id = 7") == []


def test_a_column_that_is_wanted_and_missing_is_told() -> None:
    with pytest.raises(TypeError, match="Failure wants at, and the query has user_name, client"):
        rows(Failure, "SELECT user_name, client FROM sign_in_failure")
    with pytest.raises(TypeError, match="Failure wants at"):  # also where there is no row to lack it
        rows(Failure, "SELECT user_name, client FROM sign_in_failure WHERE id = 7")


def test_values_and_lists_travel_as_parameters() -> None:
    sql = "SELECT user_name FROM sign_in_failure WHERE at > ? AND user_name IN (?*) AND client <> ?"
    assert rows(Name, sql, 1, ["ada", "bob", "'; --"], "there") == [Name("ada")]
    assert value("SELECT MAX(at) FROM sign_in_failure WHERE user_name = ?", "bob") == 2.5
    assert value("SELECT at FROM sign_in_failure WHERE user_name = ?", "eve") is None


@pytest.mark.parametrize("length", [1, 2, 3, 5, 64, 65, 1000])
def test_a_list_may_be_of_any_length_but_empty(length: int) -> None:
    names = ["ada", *(f"nobody {number}" for number in range(length - 1))]
    sql = "SELECT user_name FROM sign_in_failure WHERE user_name {} (?*)"
    assert rows(Name, sql.format("IN"), names) == [Name("ada")]
    assert rows(Name, sql.format("NOT IN"), names) == [Name("bob")]
    with pytest.raises(ValueError, match="empty"):
        rows(Name, sql.format("IN"), [])


@pytest.mark.stores("sqlite")
def test_lists_of_many_lengths_make_few_statements(database: peewee.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    run: Any = database.execute_sql

    def noted(sql: str, *more: object) -> object:
        asked.add(sql)
        return run(sql, *more)

    monkeypatch.setattr(database, "execute_sql", noted)
    for length in range(1, 501):
        rows(Name, "SELECT user_name FROM sign_in_failure WHERE id IN (?*)", list(range(length)))
    assert len(asked) == 10


def test_a_statement_runs_once_for_each_of_many() -> None:
    many("UPDATE sign_in_failure SET client = ? WHERE user_name = ?", [("a", "ada"), ("b", "bob")])
    assert [row.client for row in SignInFailure.select().order_by(SignInFailure.id)] == ["a", "b"]
    many("DELETE FROM sign_in_failure WHERE user_name = ?", [])
    assert SignInFailure.select().count() == 2


def test_a_row_whose_key_is_taken_is_left_out() -> None:
    insert = unless_there("INSERT INTO `user` (name, password_hash, is_admin, created_at) VALUES (?, ?, ?, ?)")
    assert [change(insert, name, "-", False, 0.0) for name in ("ada", "ada", "bob", "ada")] == [1, 0, 1, 0]
    assert [row.name for row in User.select().order_by(User.id)] == ["ada", "bob"]
