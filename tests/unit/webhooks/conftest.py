"""A small world of webhooks, and a real receiver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.receiver import Receiver, receiver
from support.webhooks import Time, World


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def world(tmp_path: Path, time: Time, database: object) -> World:
    return World(tmp_path, time)


@pytest.fixture
def target() -> Iterator[Receiver]:
    with receiver() as made:
        yield made
