"""The steps: what they make is what the models say, and code runs on nothing that it cannot run on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

from webfront.database import models
from webfront.database.change import Change
from webfront.database.connection import bind_database
from webfront.database.models import SchemaStep, SchemaVersion
from webfront.database.schema import check, migrate, migrate_database, open_database
from webfront.database.steps import CODE, STEPS, Step
from webfront.errors import Unavailable


@pytest.fixture
def new(tmp_path: Path) -> Iterator[peewee.Database]:
    """A database without a table."""
    opened = bind_database(f"sqlite:///{tmp_path}/skerry.sqlite")
    yield opened
    opened.close()


def described(path: Path) -> dict[str, object]:
    """The tables as SQLite tells them: columns with types and defaults, indexes, foreign keys."""
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    asked = ("table_info", "index_list", "foreign_key_list")
    found: dict[str, object] = {
        f"{table} {pragma}": sorted(row[1:] for row in connection.execute(f"PRAGMA {pragma}('{table}')"))
        for table in tables
        for pragma in asked
    }
    for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"):
        found[name] = sql
    connection.close()
    return found


def test_the_steps_make_what_the_models_say(tmp_path: Path) -> None:
    migrate_database(f"sqlite:///{tmp_path}/steps.sqlite")
    other = bind_database(f"sqlite:///{tmp_path}/models.sqlite")
    other.create_tables(models.TABLES)
    other.close()
    assert described(tmp_path / "steps.sqlite") == described(tmp_path / "models.sqlite")
    assert len(models.TABLES) == len({table._meta.table_name for table in models.TABLES})


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert [step.number for step in STEPS] == list(range(1, CODE + 1))
    assert all(step.oldest_code <= step.number for step in STEPS)


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/skerry.sqlite"
    assert migrate_database(url) == [step.name for step in STEPS]
    before = described(tmp_path / "skerry.sqlite")
    assert migrate_database(url) == []
    assert described(tmp_path / "skerry.sqlite") == before
    assert open_database(url).get_tables()


def test_a_database_without_the_steps_is_refused(new: peewee.Database) -> None:
    with pytest.raises(Unavailable, match="no tables of Skerry yet: run `skerry-admin migrate`"):
        check(new)
    migrate(new)
    check(new)
    SchemaStep.delete().where(SchemaStep.number == CODE).execute()
    with pytest.raises(Unavailable, match=f"lacks the step {STEPS[-1].name}: run `skerry-admin migrate`"):
        check(new)


def test_a_step_of_a_newer_release_is_refused_only_where_it_says_so(new: peewee.Database) -> None:
    def apply(change: Change) -> None:
        change.execute("CREATE TABLE IF NOT EXISTS later (id INTEGER)")

    migrate(new, [*STEPS, Step(CODE + 1, "9998_expands", 1, apply)])
    check(new)  # the release was taken back
    assert migrate(new) == []
    migrate(new, [*STEPS, Step(CODE + 1, "9998_expands", 1, apply), Step(CODE + 2, "9999_drops", CODE + 1, apply)])
    assert SchemaVersion.get().number == CODE + 1
    for refused in (check, migrate):
        with pytest.raises(Unavailable, match=rf"needs code of schema {CODE + 1} or later, and this is {CODE}"):
            refused(new)


def test_older_code_is_refused_before_the_first_statement_that_would_break_it(new: peewee.Database) -> None:
    def fails(change: Change) -> None:
        assert SchemaVersion.get().number == CODE + 1
        raise peewee.OperationalError("out of space")

    migrate(new)
    with pytest.raises(peewee.OperationalError):
        migrate(new, [*STEPS, Step(CODE + 1, "9999_drops", CODE + 1, fails)])
    # SQLite takes the whole of it back.
    assert SchemaVersion.get().number == 1
    check(new)


def test_rows_that_refer_to_nothing_stop_the_steps(new: peewee.Database) -> None:
    def orphans(change: Change) -> None:
        change.execute("INSERT INTO app (name, owner_id, created_at) VALUES ('a', 77, 0)")

    migrate(new)
    with pytest.raises(Unavailable, match="rows that refer to others"):
        migrate(new, [*STEPS, Step(CODE + 1, "9999_orphans", 1, orphans)])
    assert models.App.select().count() == 0
    assert new.execute_sql("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_column_is_added_for_older_code_too(new: peewee.Database) -> None:
    migrate(new)
    change = Change(new)
    with pytest.raises(ValueError, match=r"user\.nick"):
        change.add_column("user", "nick", peewee.CharField(10))
    for _ in range(2):
        default: list[peewee.Node] = [peewee.SQL("DEFAULT 'none'")]
        change.add_column("user", "nick", peewee.CharField(10, index=True, constraints=default))
        change.add_column("user", "boss_id", peewee.ForeignKeyField(change.table("user"), null=True))
    models.User.create(name="ada", password_hash="-", created_at=0.0)
    assert change.rows("SELECT name, nick, boss_id FROM user") == [("ada", "none", None)]
    assert {"user_nick", "user_boss_id"} <= {one.name for one in new.get_indexes("user")}
    assert [one.column for one in new.get_foreign_keys("user")] == ["boss_id"]
    for _ in range(2):
        change.drop_index("user", ["nick"])
    assert "user_nick" not in {one.name for one in new.get_indexes("user")}
