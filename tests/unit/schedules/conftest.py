"""A bench for tests of schedules."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.schedules import Bench

from webfront.accounts.users import create_user


@pytest.fixture
def bench(database: object, tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "share", create_user("ada", "correct horse"))
    made.app()
    return made
