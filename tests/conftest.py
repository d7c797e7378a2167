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
    from webfront.database.connection import open_database

    opened = open_database(f"sqlite:///{tmp_path}/skerry.sqlite", create=True)
    yield opened
    opened.close()
