"""Fresh machines for the quickstart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.fresh import Machine, docker


@pytest.fixture
def fresh_machine() -> Iterator[Callable[..., Machine]]:
    made: list[Machine] = []

    def make(release: str, *options: str) -> Machine:
        made.append(Machine(release, *options))
        return made[-1]

    yield make
    for machine in made:
        docker("rm", "--force", "--volumes", machine.id)
