"""Idempotency keys: the same request with the same key is one job, and its input lies once on the share."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import peewee
import pytest
from support.stores import Store
from support.submitting import Submitter, at_once, make_app, submit

from webfront.accounts.users import create_user
from webfront.accounts.views import Account
from webfront.activity.term import Term
from webfront.database.connection import transaction
from webfront.database.models import Fact, Job, SubmissionKey
from webfront.errors import InvalidInput, KeyReused, NotFound
from webfront.jobs.inputs import InputFile
from webfront.jobs.intake import Intake, NewJob
from webfront.jobs.keys import KEEP_S, Key, forget_old_keys
from webfront.jobs.states import JobState
from webfront.jobs.submission import Accepted, Submission
from webfront.scheduling.leadership import Leadership


def inputs(share: Path) -> list[str]:
    return sorted(entry.name for entry in (share / "inputs").iterdir())


def facts() -> int:
    return int(Fact.select().where(Fact.kind == "job.submit").count())


def rows(kind: Any) -> int:
    return int(kind.select().count())


def test_the_same_key_twice_is_one_job(web: Submission, ada: Account, share: Path) -> None:
    first = submit(web, ada, "k")
    assert not first.replayed
    assert submit(web, ada, "k") == Accepted(first.job, replayed=True)
    assert (rows(Job), rows(SubmissionKey), facts(), inputs(share)) == (1, 1, 1, [first.job.id])
    # It is told as it is now, not as it was then.
    Job.update(state="succeeded", finished_at=1.0).execute()
    assert submit(web, ada, "k").job.state == JobState.SUCCEEDED


def test_a_job_without_a_key_leaves_no_row(web: Submission, ada: Account) -> None:
    assert submit(web, ada, None).job.id != submit(web, ada, None).job.id
    assert (rows(Job), rows(SubmissionKey)) == (2, 0)


ASKED: dict[str, Any] = {"app": "tool", "version": None, "parameters": {"a": "1", "b": "2"}, "priority": 0}


def asked(data: bytes | None = b"1", name: str = "in.csv", **changes: Any) -> dict[str, Any]:
    given = {} if data is None else {"input_file": InputFile(name, io.BytesIO(data))}
    return ASKED | given | changes


@pytest.mark.parametrize(
    "other",
    [
        {"app": "other"},
        {"version": f"{1:064x}"},
        {"parameters": {"a": "1"}},
        {"parameters": {"a": "2", "b": "1"}},
        {"priority": -1},
        {"data": b"2"},
        {"data": None},
        {"name": "out.csv"},
    ],
)
def test_a_key_is_not_for_another_request(web: Submission, ada: Account, share: Path, other: dict[str, Any]) -> None:
    first = web.submit(ada, **asked(), key="k").job.id
    make_app(ada, "other")
    with pytest.raises(KeyReused, match="another request") as refused:
        web.submit(ada, **asked(**other), key="k")
    assert (refused.value.status, refused.value.detail) == (422, {"job": first})
    assert (rows(Job), inputs(share)) == (1, [first])
    assert not web.submit(ada, **asked(**other), key="another").replayed


def test_what_asks_for_the_same_is_the_same(web: Submission, ada: Account) -> None:
    first = web.submit(ada, **asked(), key="k").job.id
    for same in ({"parameters": {"b": "2", "a": "1"}}, {"version": ""}, {"name": "C:\\here\\in.csv"}):
        assert web.submit(ada, **asked(**same), key="k").job.id == first


def test_it_is_judged_by_what_was_asked_for_then(web: Submission, ada: Account) -> None:
    """A newer version of the app, which would refuse the request, changes nothing about the job that it became."""
    first = submit(web, ada, "k").job
    make_app(ada, inputs={"required": True, "accept": [".json"]})
    assert submit(web, ada, "k").job == first
    with pytest.raises(InvalidInput):
        submit(web, ada, "new")


def test_anothers_key_is_another_key(web: Submission, ada: Account) -> None:
    bob = create_user("bob", "correct horse")
    jobs = [submit(web, user, "k").job.id for user in (ada, bob, ada, bob)]
    assert jobs[:2] == jobs[2:]
    assert rows(Job) == 2


def test_keys_differ_by_every_character(web: Submission, ada: Account) -> None:
    keys = ["k", "K", "k ", " k", "k'", 'k"', "k\\", "%", "?", "k" * 255, "k" * 254, "k" * 254 + "K"]
    jobs = {submit(web, ada, key).job.id for key in keys}
    assert len(jobs) == rows(Job) == len(keys)
    assert {submit(web, ada, key).job.id for key in keys} == jobs


@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 10_000, "é", "🪨", "k\n", "\t", "k\0", "\x7f", "\udc80"])
def test_what_cannot_be_a_key_is_refused_in_words(web: Submission, ada: Account, key: str) -> None:
    with pytest.raises(InvalidInput, match=r"it must have 1 to 255|printable ASCII"):
        submit(web, ada, key)
    assert (rows(Job), rows(SubmissionKey)) == (0, 0)


def test_what_was_refused_leaves_the_key_free(web: Submission, ada: Account) -> None:
    with pytest.raises(NotFound):
        web.submit(ada, **asked(version="fffffff"), key="k")
    with pytest.raises(InvalidInput):
        web.submit(ada, **asked(parameters={"--x": "1"}), key="k")
    assert not web.submit(ada, **asked(), key="k").replayed


@pytest.fixture
def term(ada: Account) -> Term:
    return Leadership("the tests").take_over(1000.0)


@pytest.mark.parametrize("tidied", [False, True])
def test_a_key_holds_for_a_day(ada: Account, share: Path, term: Term, tidied: bool) -> None:
    now = 1_800_000_000.0
    web = Submission(share, lambda job: None, clock=lambda: now)
    term.now = lambda: now
    first = submit(web, ada, "k").job.id
    now += KEEP_S - 1
    second = submit(web, ada, "later").job.id
    assert forget_old_keys(term) == ""
    assert submit(web, ada, "k").job.id == first
    now += 1
    if tidied:
        assert forget_old_keys(term) == "removed 1 old idempotency keys"
    third = submit(web, ada, "k")
    assert (third.replayed, third.job.id != first) == (False, True)
    assert submit(web, ada, "k") == third._replace(replayed=True)
    assert submit(web, ada, "later").job.id == second
    assert {row.key: row.job for row in SubmissionKey.select()} == {"k": third.job.id, "later": second}


def test_many_old_keys_go(ada: Account, term: Term) -> None:
    old = [{"user": ada.id, "key": f"{number}", "request": "", "job": "", "at": 1.0} for number in range(1234)]
    SubmissionKey.insert_many(old).execute()
    SubmissionKey.create(user=ada.id, key="new", request="", job="", at=term.now())
    assert forget_old_keys(term) == "removed 1234 old idempotency keys"
    assert [row.key for row in SubmissionKey.select()] == ["new"]


def test_a_key_ends_with_its_job(web: Submission, ada: Account) -> None:
    first = submit(web, ada, "k").job.id
    Job.delete().where(Job.id == first).execute()
    again = submit(web, ada, "k", data=b"something else")
    assert (again.replayed, again.job.id != first) == (False, True)
    assert submit(web, ada, "k", data=b"something else").job.id == again.job.id


def test_many_threads_with_one_key_are_one_job(web: Submission, ada: Account, share: Path) -> None:
    for key in ("a", "b", "c"):
        answers: list[Accepted] = []

        def send(key: str = key, answers: list[Accepted] = answers) -> None:
            answers.append(submit(web, ada, key))

        at_once([send] * 12)
        assert len({answer.job.id for answer in answers}) == 1
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 11
    assert (rows(Job), facts()) == (3, 3)
    assert inputs(share) == sorted(row.id for row in Job.select())


def test_of_two_requests_with_one_key_at_once_one_is_refused(web: Submission, ada: Account, share: Path) -> None:
    refused: list[KeyReused] = []

    def one(data: bytes) -> None:
        try:
            submit(web, ada, "k", data)
        except KeyReused as error:
            refused.append(error)

    at_once([lambda: one(b"1"), lambda: one(b"2")])
    (job,) = Job.select()
    assert [error.detail for error in refused] == [{"job": job.id}]
    assert inputs(share) == [job.id]


def new_job(user: Account, job_id: str, version: int, key: str | None) -> NewJob:
    used = None if key is None else Key(user.id, key, "asked")
    return NewJob(job_id, version, user.id, 0, None, {}, time.time(), "ada", "tool", key=used)


def together(intake: Intake, works: list[Callable[[], None]]) -> list[threading.Thread]:
    """Have the intake commit in one transaction what these bring to it, each in a thread of its own."""
    threads = [threading.Thread(target=work) for work in works]
    with intake._commit:
        for thread in threads:
            thread.start()
        while len(intake._waiting) < len(works):
            time.sleep(0.01)
    return threads


def test_who_loses_a_key_takes_nobody_along(ada: Account) -> None:
    """Of jobs that are committed together, some have a key that is taken, and one a version that has just gone."""
    version = make_app(ada).id
    intake = Intake()

    def job(number: int, key: str | None, app_version: int = version) -> NewJob:
        return new_job(ada, f"{number:026}", app_version, key)

    assert intake.accept(job(0, "taken"))
    jobs = [job(1, "taken"), job(2, "b"), job(3, "b"), job(4, None), job(5, "c", 99999), job(6, "a"), job(7, "c")]
    outcomes: dict[int, bool | None] = {}

    def accept(one: NewJob) -> None:
        try:
            outcomes[int(one.id)] = intake.accept(one)
        except peewee.IntegrityError:
            outcomes[int(one.id)] = None

    for thread in together(intake, [partial(accept, one) for one in jobs]):
        thread.join()
    assert {number: outcomes[number] for number in (1, 4, 5, 6, 7)} == {1: False, 4: True, 5: None, 6: True, 7: True}
    assert {outcomes[2], outcomes[3]} == {True, False}
    accepted = {f"{number:026}" for number, outcome in outcomes.items() if outcome} | {f"{0:026}"}
    assert {row.id for row in Job.select()} == accepted
    assert {row.key: row.job for row in SubmissionKey.select()}.keys() == {"taken", "a", "b", "c"}
    assert {row.job for row in SubmissionKey.select()} == accepted - {f"{4:026}"}
    assert facts() == len(accepted)


def test_a_deadlock_is_tried_again(ada: Account) -> None:
    """Another transaction takes the keys in the other order: MariaDB ends the one that has done less."""
    intake, version = Intake(), make_app(ada).id
    jobs = [new_job(ada, f"{number:026}", version, key) for number, key in enumerate(("a", "b", None))]
    outcomes: dict[str, bool] = {}

    def accept(job: NewJob) -> None:
        outcomes[job.key.text if job.key else ""] = intake.accept(job)

    with transaction():
        much = [{"user": ada.id, "key": f"b{number}", "request": "", "job": "", "at": 1.0} for number in range(100)]
        SubmissionKey.insert_many(much).execute()
        SubmissionKey.create(user=ada.id, key="b", request="", job="", at=1.0)
        threads = together(intake, [partial(accept, job) for job in jobs])
        time.sleep(0.5)  # by now the intake has "a", if it may, and waits for "b"
        SubmissionKey.create(user=ada.id, key="a", request="", job="", at=1.0)
    for thread in threads:
        thread.join()
    assert outcomes == {"a": False, "b": False, "": True}
    assert [row.id for row in Job.select()] == [jobs[2].id]


def test_two_processes_make_one_job_of_each_key(ada: Account, share: Path, store: Store) -> None:
    keys = [f"key {number}" for number in range(40)]
    old = [{"user": ada.id, "key": key, "request": "", "job": "", "at": 1.0} for key in keys[::2]]
    SubmissionKey.insert_many(old).execute()
    others = [Submitter(store, share, ada, 4, keys), Submitter(store, share, ada, 4, keys)]
    for other in others:
        other.go()
    answers = [other.jobs() for other in others]
    for key in keys:
        jobs = {job for answer in answers for job in answer[key]}
        assert [len(answer[key]) for answer in answers] == [4, 4]
        assert len(jobs) == 1
    assert (rows(Job), rows(SubmissionKey), facts()) == (40, 40, 40)
    assert inputs(share) == sorted(row.id for row in Job.select())
