"""A term under which the tests' consumers and chores run."""

from __future__ import annotations

import pytest

from webfront.activity.term import Term
from webfront.scheduling.leadership import Leadership


@pytest.fixture
def term(database: object) -> Term:
    return Leadership("the tests").take_over(1000.0)
