"""The whole application over WSGI: real services, SQLite, a share in a folder; the publisher is never started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import peewee
import pytest
from support.stores import Store

from webfront.accounts.users import create_user
from webfront.application import WebFront, create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.settings import Settings
from webfront.web.services import Services
from wire.broker import BrokerAddress

PASSWORD = "correct horse"


@pytest.fixture
def settings(tmp_path: Path, store: Store) -> Settings:
    return Settings(
        state_dir=tmp_path / "state",
        share_dir=tmp_path / "share",
        broker_url="amqp://skerry@127.0.0.1:1/",
        broker_password_file=tmp_path / "none",
        broker_admin_url="http://127.0.0.1:1",
        database_url=store.url,
        database_password_file=store.password_file,
        plays_socket=tmp_path / "plays.sock",
        secrets_key_file=tmp_path / "secrets.key",
        max_upload_mb=2,
    )


@pytest.fixture
def services(settings: Settings, database: object) -> Services:
    create_user("ada", PASSWORD, is_admin=True)
    create_user("bob", PASSWORD)
    return create_services(settings, Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False))


@pytest.fixture
def hasty(database: peewee.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for no disk: the processes of such a test die, the machine does not."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if isinstance(database, peewee.SqliteDatabase):
        database.pragma("synchronous", 0, permanent=True)


@pytest.fixture
def app(settings: Settings, services: Services) -> WebFront:
    return create_app(settings, services=services)


@pytest.fixture
def browse(app: WebFront) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients: `browse()` for nobody, `browse("ada")` with that user's token."""
    made: list[httpx.Client] = []

    def client(user: str | None = None) -> httpx.Client:
        one = httpx.Client(transport=httpx.WSGITransport(app), base_url="http://skerry.test")
        made.append(one)
        if user is not None:
            answer = one.post("/api/v1/tokens", json={"user": user, "password": PASSWORD})
            one.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return one

    yield client
    for one in made:
        one.close()


@pytest.fixture
def ada(browse: Callable[..., httpx.Client]) -> httpx.Client:
    """A client of hers, with an app `noop` that needs no input."""
    client = browse("ada")
    client.post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()
    return client
