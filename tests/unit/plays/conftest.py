"""Two accounts, and the services over a keeper of secrets that stands for the plays process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from webfront.accounts.users import create_user
from webfront.accounts.views import Account
from webfront.fleet.service import FleetService
from webfront.plays.secrets import SecretKeeper
from webfront.plays.service import PlayService


@pytest.fixture
def ada(database: object) -> Account:
    return create_user("ada", "correct horse", is_admin=True)


@pytest.fixture
def bob(database: object) -> Account:
    return create_user("bob", "correct horse")


@pytest.fixture
def keeper() -> Iterator[SecretKeeper]:
    # A Unix socket's path is short, pytest's folders are not.
    with tempfile.TemporaryDirectory() as folder:
        made = SecretKeeper(Path(folder) / "plays.sock", lambda: None)
        made.open()
        yield made
        made.close()


@pytest.fixture
def plays(keeper: SecretKeeper) -> PlayService:
    return PlayService(keeper._path, "one")


@pytest.fixture
def fleet() -> FleetService:
    return FleetService(lambda name: None)
