"""A user and an app, for tests of submissions."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.submitting import make_app, submission

from webfront.accounts.users import create_user
from webfront.accounts.views import Account
from webfront.jobs.submission import Submission


@pytest.fixture
def ada(database: object) -> Account:
    made = create_user("ada", "correct horse", is_admin=True)
    make_app(made)
    return made


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return tmp_path / "share"


@pytest.fixture
def web(share: Path) -> Submission:
    return submission(share)
