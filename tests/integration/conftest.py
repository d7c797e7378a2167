"""The real services that integration tests talk to. They fail, never skip, where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.rabbitmq import PrivateRabbit


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbit]:
    """One private RabbitMQ for the whole run. A test that kills it leaves it running again."""
    rabbit = PrivateRabbit(Path(tmp_path_factory.mktemp("rabbitmq")))
    rabbit.start()
    yield rabbit
    rabbit.stop()
