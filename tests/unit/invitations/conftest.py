"""The whole application, with a key file and a keeper of secrets that stands for the plays process."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support.invitations import make_key

from webfront.plays.secrets import SecretKeeper
from webfront.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Iterator[Settings]:
    make_key(settings)
    # A Unix socket's path is short, pytest's folders are not.
    with tempfile.TemporaryDirectory() as folder:
        keeper = SecretKeeper(Path(folder) / "plays.sock", lambda: None)
        keeper.open()
        yield dataclasses.replace(settings, plays_socket=keeper._path)
        keeper.close()


@pytest.fixture
def admin(browse: Callable[..., httpx.Client]) -> httpx.Client:
    return browse("ada")


@pytest.fixture
def machine(browse: Callable[..., httpx.Client]) -> httpx.Client:
    """A client that nobody has signed in."""
    return browse()
