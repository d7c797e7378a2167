"""Lists of jobs: what belongs to them, in their order, page by page; and that no list reads what is not on its page."""

from __future__ import annotations

import itertools

import pytest

from webfront.accounts.views import Account
from webfront.database import models
from webfront.database.models import App, AppVersion, Job, User
from webfront.jobs import listing
from webfront.jobs.listing import list_jobs
from webfront.jobs.states import JobState

STATES = (JobState.SUCCEEDED, JobState.FAILED, JobState.QUEUED)


@pytest.fixture
def jobs(database: object) -> list[Job]:
    """240 jobs of two users, two apps with two versions each, and three states, oldest first."""
    users = [User.create(name=name, password_hash="-", created_at=0) for name in ("ada", "bob")]
    versions = []
    for name in ("digits", "words"):
        app = App.create(name=name, owner=users[0], created_at=0)
        for number in range(2):
            fields = {"hash": f"{name[0]}{number}".ljust(64, "0"), "manifest": {}, "size": 1, "uploaded_at": 0}
            versions.append(AppVersion.create(app=app, **fields))
    mixed = itertools.islice(itertools.cycle(itertools.product(users, versions, STATES)), 240)
    made = []
    for number, (user, version, state) in enumerate(mixed):
        schedule = "nightly" if number % 5 == 0 else None
        fields = {"state": state, "submitted_at": number, "schedule": schedule}
        made.append(Job.create(id=f"{number:026d}", user=user, app_version=version, force_insert=True, **fields))
    return made


def account(jobs: list[Job], name: str, *, is_admin: bool = False) -> Account:
    user = next(job.user for job in jobs if job.user.name == name)
    return Account(user.id, name, is_admin)


@pytest.mark.parametrize("app", [None, "digits", "words"])
@pytest.mark.parametrize("state", [None, *STATES])
@pytest.mark.parametrize("name", ["ada", "bob", "admin"])
@pytest.mark.parametrize("schedule", [None, "nightly"])
def test_the_pages_of_a_list_are_all_that_belongs_to_it_once(
    jobs: list[Job],
    app: str | None,
    state: JobState | None,
    name: str,
    schedule: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "_VERSIONS_AT_ONCE", 1)
    who = account(jobs, "ada", is_admin=True) if name == "admin" else account(jobs, name)
    expected = [
        job.id
        for job in reversed(jobs)
        if name in ("admin", job.user.name)
        and state in (None, job.state)
        and app in (None, job.app_version.app.name)
        and schedule in (None, job.schedule)
    ]
    found: list[str] = []
    while page := list_jobs(who, app=app, state=state, schedule=schedule, limit=7, before=found[-1] if found else None):
        assert all(state in (None, one.state) and app in (None, one.app) for one in page)
        found += [one.id for one in page]
    assert found == expected


def test_an_unknown_app_has_none_and_versions_of_one_app_are_many(jobs: list[Job]) -> None:
    admin = account(jobs, "ada", is_admin=True)
    assert list_jobs(admin, app="none") == ()
    app = App.get(App.name == "digits")
    many = [
        {"app": app, "hash": f"{number:064d}", "manifest": {}, "size": 1, "uploaded_at": 0} for number in range(600)
    ]
    AppVersion.insert_many(many).execute()
    assert len(list_jobs(admin, app="digits", limit=200)) == 120


@pytest.mark.stores("sqlite")
def test_every_list_has_an_index_with_its_order(jobs: list[Job]) -> None:
    """The plan sorts nothing: a page is read from where it begins. MariaDB plans by how many rows there are: see the
    benchmark `pages`.
    """
    given = itertools.product((None, 1), (None, "s"), (None, "failed"), (None, "5"), (None, 1))
    for user, schedule, state, before, version in given:
        sql, values = listing._pick(listing._Wanted(user, schedule, state, before, 50), version)
        plan = str(models.database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
        assert "B-TREE" not in plan, (sql, plan)
