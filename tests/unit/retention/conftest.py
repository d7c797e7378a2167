"""A platform with an app and its owner, under a term in which chores run."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.ended import ended_job

from webfront.accounts.views import Account
from webfront.activity.numbering import last_batch, number
from webfront.activity.term import Term
from webfront.apps.deleting import FOLDER, may_go
from webfront.apps.queries import find_version
from webfront.changeable.values import Values
from webfront.database.models import AppVersion, Consumer, User
from webfront.retention.removals import Removing
from webfront.scheduling.leadership import Leadership
from webfront.settings import Settings
from webfront.web.services import Services
from wire.messages import Cause

DAY_S = 86_400.0
TOLD = ("webhooks",)


@pytest.fixture
def term(database: object) -> Term:
    return Leadership("the tests").take_over(1000.0)


@pytest.fixture
def values(settings: Settings) -> Values:
    return Values(settings)


@pytest.fixture
def share(settings: Settings) -> Path:
    settings.share_dir.mkdir(exist_ok=True)
    return settings.share_dir


@pytest.fixture
def bob(services: Services) -> Account:
    """Who owns the app `tool`."""
    row = User.get(User.name == "bob")
    return Account(row.id, row.name, is_admin=False)


@pytest.fixture
def version(bob: Account, upload: Callable[[str], str]) -> AppVersion:
    upload("print(1)")
    found: AppVersion = AppVersion.get_by_id(find_version("tool", None).id)
    return found


@pytest.fixture
def upload(services: Services, bob: Account) -> Callable[[str], str]:
    """Uploads a script as a version of the app `tool`; its hash."""

    def upload(text: str) -> str:
        return services.apps.upload(bob, io.BytesIO(text.encode()), file_name="tool.py").version

    return upload


@pytest.fixture
def ended(share: Path, version: AppVersion, bob: Account, term: Term) -> Callable[..., str]:
    """Makes a job that ended so many days ago, of whose end everybody has been told."""

    def make(days: float, *causes: Cause, told: bool = True) -> str:
        job = ended_job(share, version, bob.id, time.time() - days * DAY_S, causes=causes or (Cause.OK,), on_share=1)
        if told:
            number(term)
            newest = last_batch()
            Consumer.delete().execute()
            Consumer.create(name=TOLD[0], batch=newest)
        return job

    return make


@pytest.fixture
def removing(share: Path) -> Removing:
    return Removing(share, FOLDER, may_go)
