"""Jobs, versions and apps deleted by hand: by whom, when not, and what is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from support.deaths import dies_at

from webfront.accounts.views import Account
from webfront.activity.term import Deposed, Term
from webfront.apps.deleting import forget_unused
from webfront.changeable.values import Values
from webfront.database.models import (
    App,
    AppVersion,
    Attempt,
    Consumer,
    Fact,
    Job,
    LogChunk,
    LogPiece,
    Removal,
    Schedule,
)
from webfront.errors import Unavailable
from webfront.jobs.deleting import delete_job
from webfront.jobs.logfiles import write_text
from webfront.jobs.strangers import sweep_logs
from webfront.jobs.submission import sweep_inputs
from webfront.retention.removals import Removing
from webfront.scheduling.leadership import Leadership
from wire.messages import Cause

from .conftest import DAY_S, TOLD

Browse = Callable[..., httpx.Client]


def deeds(kind: str) -> list[tuple[str, str, str]]:
    return [(row.user, row.app, row.job) for row in Fact.select().where(Fact.kind == kind, Fact.outcome == "success")]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


def later(term: Term, seconds: float) -> Term:
    return Term(term.epoch, lambda: time.time() + seconds)


@pytest.mark.parametrize("who", ["bob", "ada"])
def test_a_job_goes_with_all_that_is_its(
    who: str, term: Term, share: Path, ended: Callable[..., str], browse: Browse, removing: Removing
) -> None:
    job, other = ended(1, Cause.NODE_LOST, Cause.OK), ended(1)
    assert browse(who).delete(f"/api/v1/jobs/{job}").status_code == 204
    assert browse(who).get(f"/api/v1/jobs/{job}").status_code == 404
    assert browse(who).delete(f"/api/v1/jobs/{job}").status_code == 404
    assert {row.job.id for row in Attempt.select()} == {other}
    assert [table.select().count() for table in (LogChunk, LogPiece)] == [1, 1]
    assert deeds("job.delete") == [(who, "tool", job)]
    removing.run(term)
    left = [[one.name for one in (share / name).iterdir()] for name in ("inputs", "results", "logs")]
    assert left == [[other]] * 3
    (freed,) = Fact.select().where(Fact.kind == "space.free")
    assert freed.data["what"] == "files of deleted jobs"
    assert freed.data["bytes"] > 0


def test_a_job_stays_that_is_under_way_or_anothers_or_still_to_be_told_of(
    share: Path, ended: Callable[..., str], browse: Browse
) -> None:
    bob = browse("bob")
    job = ended(1)
    Job.update(state="running", finished_at=None).execute()
    assert refusal(bob.delete(f"/api/v1/jobs/{job}")) == (
        409, "The job has not ended. Cancel it, and delete it then."
    )  # fmt: skip
    Job.delete().execute()
    Consumer.delete().execute()
    untold = ended(0, told=False)
    assert refusal(bob.delete(f"/api/v1/jobs/{untold}")) == (
        409, "The job has just ended, and webhooks are still to be told. Try again in a moment."
    )  # fmt: skip
    from webfront.accounts.users import create_user

    create_user("eve", "correct horse")
    assert browse("eve").delete(f"/api/v1/jobs/{untold}").status_code == 404
    assert (share / "results" / untold).is_dir()
    assert deeds("job.delete") == []


def test_whatever_line_it_dies_on_a_job_is_there_whole_or_not_at_all(
    term: Term, share: Path, bob: Account, ended: Callable[..., str], removing: Removing, hasty: None
) -> None:
    died, dying = 0, True
    while dying:
        job = ended(1)
        died += 1
        work = partial(delete_job, bob, job, time.time(), TOLD)
        dying = dies_at(died, work, lines_of=("jobs/deleting.py", "retention/removals.py"))
        removing.run(term)
        there = Job.get_or_none(Job.id == job) is not None
        assert [(share / one / job).exists() for one in ("inputs", "results", "logs")] == [there] * 3, died
        assert (job in [about for _, _, about in deeds("job.delete")]) is not there, died
        if there:
            delete_job(bob, job, time.time(), TOLD)
            removing.run(term)
    assert died > 10
    sweep_inputs(share, time.time() + 2 * DAY_S)
    assert not list((share / "results").iterdir())


def test_logs_of_no_job_are_swept_a_day_later(share: Path, ended: Callable[..., str]) -> None:
    job, stranger = ended(1), "01M8FG9Q5C3Z55P3159VDBH7KF"
    write_text(share, stranger, 1, 0, b"late\n")
    (share / "logs" / "another's").mkdir()
    assert sweep_logs(share, time.time()) == 0
    assert sweep_logs(share, time.time() + DAY_S + 60) == 1
    assert {one.name for one in (share / "logs").iterdir()} == {job, "another's"}


def test_a_version_goes_and_its_jobs_still_tell_what_they_ran(
    term: Term, share: Path, ended: Callable[..., str], upload: Callable[[str], str], browse: Browse, removing: Removing
) -> None:
    bob = browse("bob")
    job = ended(1)
    first, second = AppVersion.get().hash, upload("print(2)")
    assert bob.delete(f"/api/v1/apps/tool/versions/{first[:12]}").status_code == 204
    assert deeds("version.delete") == [("bob", "tool", "")]
    day = time.strftime("%Y-%m-%d", time.gmtime())
    said = (410, f"Version {first[:12]} of tool was deleted on {day}.")
    assert refusal(bob.post("/api/v1/jobs", json={"app": "tool", "version": first[:12]})) == said
    assert refusal(bob.delete(f"/api/v1/apps/tool/versions/{first}")) == said
    assert bob.get(f"/api/v1/jobs/{job}").json()["job"]["version"] == first
    assert [one["version"] for one in bob.get("/api/v1/apps/tool").json()["app"]["versions"]] == [second]
    assert removing.run(term) == "", "who has just found it, submits"
    assert removing.run(later(term, 100)) == "removed 1 app versions, 0.0 MB"
    assert {one.name for one in (share / "apps").iterdir()} == {second}
    assert bob.post("/api/v1/apps", files={"file": ("tool.py", b"print(1)")}).json()["created"]
    assert (share / "apps" / first / "tool.py").read_text() == "print(1)"
    assert bob.post("/api/v1/jobs", json={"app": "tool", "version": first[:12]}).status_code == 202


REFUSED = {
    "a job": ("A job of {} has not ended. Cancel it, or wait for its end."),
    "a schedule": ("The schedule nightly runs {}."),
    "another": ("This app is somebody else's."),
}


@pytest.mark.parametrize("why", sorted(REFUSED))
@pytest.mark.parametrize("what", ["app", "version"])
def test_what_is_in_use_stays(
    what: str,
    why: str,
    term: Term,
    ended: Callable[..., str],
    upload: Callable[[str], str],
    browse: Browse,
    bob: Account,
) -> None:
    from webfront.accounts.users import create_user

    create_user("eve", "correct horse")
    job, first, _ = ended(1), AppVersion.get().hash, upload("print(2)")
    if why == "a job":
        Job.update(state="queued", finished_at=None).where(Job.id == job).execute()
    if why == "a schedule":
        Schedule.create(
            id="S" * 26, user=bob.id, name="nightly", app="tool", version=first, cron="@daily", zone="UTC",
            when_running="skip", state="paused", created_at=0,
        )  # fmt: skip
    client = browse("eve" if why == "another" else "bob")
    path = "/api/v1/apps/tool" + (f"/versions/{first}" if what == "version" else "")
    status, words = refusal(client.delete(path))
    assert status == (403 if why == "another" else 409)
    named = {"a job": "tool" if what == "app" else f"version {first[:12]} of tool"}.get(why)
    expected = REFUSED[why].format(named or ("tool" if what == "app" else "this version")).rstrip(".")
    assert words.startswith(expected)
    assert not Removal.select().exists()
    assert AppVersion.select().where(AppVersion.deleted_at.is_null()).count() == 2


def test_an_app_goes_and_its_name_with_the_last_job(
    term: Term, share: Path, values: Values, ended: Callable[..., str], browse: Browse, removing: Removing
) -> None:
    bob, ada = browse("bob"), browse("ada")
    job = ended(1)
    version = AppVersion.get().hash
    assert refusal(bob.delete(f"/api/v1/apps/tool/versions/{version}")) == (
        409, "This is the only version of tool. Delete the app instead."
    )  # fmt: skip
    assert bob.delete("/api/v1/apps/tool").status_code == 204
    assert refusal(bob.get("/api/v1/apps/tool")) == (410, "The app tool was deleted.")
    assert refusal(bob.post("/api/v1/jobs", json={"app": "tool"})) == (410, "The app tool was deleted.")
    assert bob.delete("/api/v1/apps/tool").status_code == 404
    assert bob.get("/api/v1/apps").json()["apps"] == []
    assert bob.get(f"/jobs/{job}").status_code == 200
    assert "The app tool was deleted." in bob.get("/apps/tool").text
    removing.run(later(term, 100))
    assert not list((share / "apps").iterdir())
    assert forget_unused(later(term, 2 * DAY_S), values=values) == ""
    assert App.select().count() == 1
    assert ada.delete(f"/api/v1/jobs/{job}").status_code == 204
    forget_unused(later(term, 2 * DAY_S), values=values)
    assert App.select().count() == AppVersion.select().count() == 0
    assert ada.post("/api/v1/apps", files={"file": ("tool.py", b"print(1)")}).status_code == 201


def test_two_apps_of_one_content_share_its_files_until_both_are_gone(
    term: Term, share: Path, version: AppVersion, browse: Browse, removing: Removing
) -> None:
    bob = browse("bob")
    assert bob.post("/api/v1/apps", files={"file": ("tool.py", b"print(1)")}, data={"name": "twin"}).status_code == 201
    for app, left in (("tool", True), ("twin", False)):
        assert bob.delete(f"/api/v1/apps/{app}").status_code == 204
        removing.run(later(term, 100))
        assert (share / "apps" / version.hash).exists() is left


def test_an_upload_takes_back_what_was_to_go_and_waits_for_what_is_going(
    term: Term, share: Path, version: AppVersion, upload: Callable[[str], str], browse: Browse, removing: Removing
) -> None:
    bob = browse("bob")
    bob.delete("/api/v1/apps/tool")
    assert upload("print(1)") == version.hash
    assert not Removal.select().exists()
    bob.delete("/api/v1/apps/tool")
    Removal.update(claimed=True).execute()
    with pytest.raises(Unavailable, match="is being deleted just now"):
        upload("print(1)")
    removing.run(later(term, 100))
    assert upload("print(1)") == version.hash
    assert (share / "apps" / version.hash / "tool.py").is_file()


def test_a_scheduler_that_wakes_up_after_another_took_over_leaves_a_new_upload_alone(
    term: Term,
    share: Path,
    version: AppVersion,
    upload: Callable[[str], str],
    browse: Browse,
    removing: Removing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from webfront.retention import removals

    browse("bob").delete("/api/v1/apps/tool")
    real = removals.remove

    def meanwhile(path: Path) -> int | None:
        """It was stopped between its claim and its removal."""
        monkeypatch.setattr(removals, "remove", real)
        successor = Leadership("another").take_over(2000.0)
        removing.run(later(successor, 100))
        upload("print(1)")
        return real(path)

    monkeypatch.setattr(removals, "remove", meanwhile)
    with pytest.raises(Deposed):
        removing.run(later(term, 100))
    assert (share / "apps" / version.hash / "tool.py").read_text() == "print(1)"
    assert [one.name for one in (share / "apps").iterdir()] == [version.hash]


def test_a_version_stays_whose_job_was_submitted_in_the_same_moment(
    term: Term, share: Path, version: AppVersion, ended: Callable[..., str], browse: Browse, removing: Removing
) -> None:
    browse("bob").delete("/api/v1/apps/tool")
    ended(0)
    Job.update(state="queued", finished_at=None).execute()
    removing.run(later(term, 100))
    assert (share / "apps" / version.hash).is_dir()
    Job.update(state="succeeded", finished_at=time.time()).execute()
    removing.run(later(term, 1000))
    assert not (share / "apps" / version.hash).exists()
