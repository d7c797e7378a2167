"""What every test may ask for, and the databases it runs on.

A test that asks for a database runs on SQLite in the part `unit`, which needs nothing, and on SQLite and MariaDB in
`integration`, which runs the unit tests that use one on MariaDB too (`--store mariadb`).
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

PROJECT = Path(__file__).resolve().parent.parent
# Helpers for tests live beside them, in tests/support.
sys.path.insert(0, str(PROJECT / "tests"))

if TYPE_CHECKING:
    from support.elasticsearch import PrivateElasticsearch
    from support.mariadb import PrivateMariadb
    from support.stores import Shelf, Store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=["sqlite", "mariadb"], help="only the tests that use a database, on this one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store_kind" not in metafunc.fixturenames:
        return
    needs_nothing = PROJECT / "tests" / "unit" in metafunc.definition.path.parents
    kinds = ["sqlite"] if needs_nothing else ["sqlite", "mariadb"]
    if (only := metafunc.config.getoption("store")) is not None:
        kinds = [only]
    if (marker := metafunc.definition.get_closest_marker("stores")) is not None:
        kinds = [kind for kind in kinds if kind in marker.args]
    metafunc.parametrize("store_kind", kinds, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (only := config.getoption("store")) is not None:
        others = [one for one in items if "store_kind" not in getattr(one, "fixturenames", ())]
        marked = ((one, one.get_closest_marker("stores")) for one in items)
        others += [one for one, marker in marked if marker is not None and only not in marker.args]
        config.hook.pytest_deselected(items=others)
        items[:] = [one for one in items if one not in others]


@pytest.fixture
def store_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `mariadb`. `@pytest.mark.stores("mariadb")` is for what only one of them can do."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMariadb]:
    """One private MariaDB for the whole run. A test that kills it leaves it running again."""
    from support.mariadb import PrivateMariadb

    server = PrivateMariadb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateElasticsearch]:
    """One private Elasticsearch for the whole run. A test that kills it leaves it running again.

    It cannot delete a data stream: a test writes to one of its own.
    """
    from support.elasticsearch import PrivateElasticsearch

    server = PrivateElasticsearch(tmp_path_factory.mktemp("elasticsearch"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    from support.stores import Shelf

    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def store(store_kind: str, shelf: Shelf, tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """An empty database with the schema, for processes and for `database`."""
    if store_kind == "mariadb":
        return shelf.database(request.getfixturevalue("mariadb"))
    return shelf.file(tmp_path / "skerry.sqlite")


@pytest.fixture
def bare_store(store_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database without a table."""
    from support.stores import Store, drop, new_in_mariadb

    if store_kind == "sqlite":
        yield Store(store_kind, f"sqlite:///{tmp_path}/bare.sqlite")
        return
    server = request.getfixturevalue("mariadb")
    made = new_in_mariadb(server)
    yield made
    drop(server, made)


@pytest.fixture
def outage(store: Store, request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """`with outage():` the `store` cannot be used, and then again, with all that was committed."""

    @contextlib.contextmanager
    def of_sqlite() -> Iterator[None]:
        with sqlite3.connect(store.url.removeprefix("sqlite:///")) as connection:
            connection.execute("ALTER TABLE job RENAME TO job_away")
        yield
        with sqlite3.connect(store.url.removeprefix("sqlite:///")) as connection:
            connection.execute("ALTER TABLE job_away RENAME TO job")

    @contextlib.contextmanager
    def of_mariadb() -> Iterator[None]:
        from webfront.database import models

        server: PrivateMariadb = request.getfixturevalue("mariadb")
        server.kill()
        try:
            yield
        finally:
            server.start()
            models.database.close()  # this process's own is gone as well

    return of_sqlite if store.kind == "sqlite" else of_mariadb


@pytest.fixture
def database(store: Store) -> Iterator[object]:
    """The `store`, bound to the models in this process."""
    from webfront.database.schema import open_database

    opened = open_database(store.url, store.password_file)
    yield opened
    opened.close()
