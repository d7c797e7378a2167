"""Connections to a database server: kept for the next request, and replaced when the server has closed them."""

from __future__ import annotations

from collections.abc import Iterator

import peewee
import pytest
from support.mariadb import PrivateMariadb

from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.rows import value

pytestmark = pytest.mark.stores("mariadb")


@pytest.fixture
def ours(database: peewee.Database) -> Iterator[peewee.Database]:
    database.close()
    yield database
    database.close()


def connection_id() -> int:
    """As a request does it: a connection is taken, and given back."""
    with models.database.obj.connection_context():
        found: int = value("SELECT CONNECTION_ID()")
        return found


def test_a_connection_serves_one_request_after_the_other(ours: peewee.Database) -> None:
    assert len({connection_id() for _ in range(5)}) == 1


def test_one_that_the_server_has_closed_is_replaced(ours: peewee.Database, mariadb: PrivateMariadb) -> None:
    first = connection_id()
    mariadb.run(f"KILL {first}")
    assert connection_id() != first
    mariadb.kill()
    mariadb.start()
    assert connection_id()


def test_what_a_request_left_open_is_taken_back(ours: peewee.Database) -> None:
    with models.database.obj.connection_context():
        models.database.obj.begin()
        models.User.create(name="left", password_hash="-", created_at=0.0)
    with models.database.obj.connection_context():
        assert models.User.select().count() == 0
        with transaction():
            models.User.create(name="kept", password_hash="-", created_at=0.0)
    with models.database.obj.connection_context():
        assert models.User.select().count() == 1
