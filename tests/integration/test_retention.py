"""What is old goes, and what an attempt left in vain: by the processes as they run, on both databases."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from support.ended import ended_job
from support.front import Front, until

from webfront.activity.facts import Kind, NewFact, record_many
from webfront.activity.numbering import last_batch, number
from webfront.database.connection import transaction
from webfront.database.models import AppVersion, Consumer, Fact, Job, LogChunk, Ranking, User
from webfront.scheduling.leadership import Leadership
from wire.messages import Cause

DAY_S = 86_400.0


@pytest.fixture
def scheduler(front: Front) -> Iterator[list[subprocess.Popen[bytes]]]:
    """What is appended to it is ended."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_what_is_old_goes_and_it_is_said_what_that_freed(
    front: Front, ada: httpx.Client, scheduler: list[subprocess.Popen[bytes]]
) -> None:
    for text in (b"print(1)", b"print(2)"):
        ada.post("apps", files={"file": ("noop.py", text)}).raise_for_status()
    AppVersion.update(uploaded_at=AppVersion.id).execute()
    version, unused, newest = AppVersion.select().order_by(AppVersion.id)
    share, user, now = front.folder / "share", User.get(User.name == "ada"), time.time()
    forgotten = ended_job(share, version, user, now - 1200 * DAY_S)
    old = ended_job(share, version, user, now - 400 * DAY_S)
    with transaction():
        record_many([NewFact(kind, now - 100 * DAY_S) for kind in (Kind.JOB_CANCEL, Kind.JOB_END)])
    # Long ago a scheduler had told everybody of all that; of what has just happened, none has yet.
    number(Leadership("long ago").take_over(1000.0))
    for name in ("webhooks", "superseded results"):
        Consumer.create(name=name, batch=last_batch())
    fresh = ended_job(share, version, user, now, causes=(Cause.NODE_LOST, Cause.OK))

    command = [sys.executable, "-m", "webfront", "scheduler"]
    with (front.folder / "scheduler.log").open("ab") as log:
        scheduler.append(subprocess.Popen(command, env=front.environment, stderr=log))

    def folders(name: str) -> set[str]:
        return {one.name for one in (share / name).iterdir()}

    until(lambda: folders("results") == folders("inputs") == {fresh}, 120)
    until(lambda: [one.name for one in (share / "results" / fresh).iterdir()] == ["2"], 30)
    until(lambda: ada.get("apps/noop").json()["app"]["versions"][-1]["version"] == version.hash, 30)
    assert [one["version"] for one in ada.get("apps/noop").json()["app"]["versions"]] == [newest.hash, version.hash]
    refused = ada.post("jobs", json={"app": "noop", "version": unused.hash[:12]})
    assert (refused.status_code, "was deleted on" in refused.text) == (410, True)

    until(lambda: Job.get_or_none(Job.id == forgotten) is None, 30)
    until(lambda: {row.job_id for row in Ranking.select()} == {fresh}, 30)
    until(lambda: {row.attempt.job.id for row in LogChunk.select()} == {fresh}, 30)
    for path, words in (("log", "Its log was deleted"), ("outputs/predictions.csv", "Its results were deleted")):
        answer = ada.get(f"jobs/{old}/{path}")
        assert (answer.status_code, words in answer.text) == (410, True)
    assert ada.get(f"jobs/{fresh}/log").status_code == 200

    until(lambda: not Fact.select().where(Fact.kind == "job.end", Fact.at < now - 90 * DAY_S).exists(), 30)
    assert Fact.select().where(Fact.kind == "job.cancel").count() == 1, "what people did is kept for a year"
    freed = {"results", "inputs", "logs", "rankings", "superseded results", "jobs", "app versions", "facts"}

    def told() -> dict[str, dict[str, int]]:
        facts = ada.get("activity", params={"kind": "space.free", "limit": 100}).json()["facts"]
        return {one["data"]["what"]: one["data"] for one in facts}

    until(lambda: freed - told().keys() <= {"app versions"}, 30)  # whose folder goes a minute later
    assert told()["rankings"]["count"] == 2
    assert all(told()[what]["bytes"] > 0 for what in ("results", "inputs", "logs", "rankings", "superseded results"))
