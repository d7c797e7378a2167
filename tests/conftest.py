"""What every test may ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
# Helpers for tests live beside them, in tests/support.
sys.path.insert(0, str(PROJECT / "tests"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[object]:
    """A fresh SQLite database with the schema, bound to the models."""
    from webfront.database.schema import migrate_database, open_database

    url = f"sqlite:///{tmp_path}/skerry.sqlite"
    migrate_database(url)
    opened = open_database(url)
    yield opened
    opened.close()
