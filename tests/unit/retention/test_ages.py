"""What is old goes, a table of kinds: nothing else does, whatever is killed, and a reader is told."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import msgspec
import peewee
import pytest
from support.deaths import dies_at
from support.ended import INPUT, PLACEMENT, PREDICTIONS, RANKING, store_results

from webfront.activity.facts import Kind, NewFact, record_many
from webfront.activity.numbering import number
from webfront.activity.queries import recent_facts
from webfront.activity.term import Deposed, Term
from webfront.apps.deleting import forget_unused
from webfront.changeable.table import SETTINGS
from webfront.changeable.values import Values
from webfront.database.connection import transaction
from webfront.database.models import (
    AppVersion,
    Attempt,
    Consumer,
    Fact,
    Job,
    LogChunk,
    LogPiece,
    Play,
    PlayEvent,
    Ranking,
    Removal,
    RetentionRun,
    Schedule,
)
from webfront.jobs.rankings import shown
from webfront.jobs.retention import (
    Superseded,
    forget_old_inputs,
    forget_old_jobs,
    forget_old_logs,
    forget_old_rankings,
    forget_old_results,
)
from webfront.plays.retention import forget_old_plays
from webfront.retention.facts import forget_old_facts
from webfront.retention.removals import Removing
from webfront.scheduling.leadership import Leadership
from wire.messages import Cause

from .conftest import DAY_S, TOLD


@dataclasses.dataclass(frozen=True)
class Kept:
    """What is kept of a job for some time, and what goes then."""

    setting: str
    chore: Callable[..., str]
    left: Callable[[Path, str], object]
    """What of it is there, of a job; nothing true once it is gone."""
    told: bool = False
    """It waits for who is told of ends."""

    def run(self, term: Term, values: Values) -> str:
        return self.chore(term, values=values, **({"consumers": TOLD} if self.told else {}))


def _log(share: Path, job: str) -> object:
    rows = [table.select().join(Attempt).where(Attempt.job == job).count() for table in (LogChunk, LogPiece)]
    return any(rows) or (share / "logs" / job).exists()


KINDS = {
    "results": Kept("results.days", forget_old_results, lambda share, job: (share / "results" / job).exists()),
    "inputs": Kept("inputs.days", forget_old_inputs, lambda share, job: (share / "inputs" / job).exists()),
    "logs": Kept("logs.days", forget_old_logs, _log, told=True),
    "rankings": Kept(
        "rankings.days",
        forget_old_rankings,
        lambda share, job: Ranking.select().where(Ranking.job == job).count(),
    ),
    "jobs": Kept("jobs.days", forget_old_jobs, lambda share, job: Job.get_or_none(Job.id == job), told=True),
}  # fmt: skip


@pytest.fixture(params=sorted(KINDS))
def kept(request: pytest.FixtureRequest) -> Kept:
    return KINDS[str(request.param)]


def all_of_it(share: Path, job: str) -> list[bool]:
    return [bool(one.left(share, job)) for one in KINDS.values()]


def test_what_is_old_goes_and_nothing_else(
    kept: Kept, term: Term, values: Values, share: Path, ended: Callable[..., str], removing: Removing
) -> None:
    values.set(kept.setting, "20")
    old, young, never = ended(21), ended(19), ended(40)
    Job.update(finished_at=None, state="running").where(Job.id == never).execute()
    assert kept.run(term, values)
    removing.run(term)
    assert not kept.left(share, old)
    assert all(all_of_it(share, young))
    assert all(all_of_it(share, never))
    if kept.setting != "jobs.days":
        assert sum(all_of_it(share, old)) == len(KINDS) - 1  # and only what is of this kind
    assert [kept.run(term, values), removing.run(term)] == ["", ""], "what is done with costs nothing"
    (run,) = RetentionRun.select()
    assert (run.days, run.count) == (20, 1)
    assert run.bytes > 0
    freed = [fact.data for fact in recent_facts(kind="space.free", user="", before=None, limit=9).facts]
    assert sum(int(str(one["bytes"])) for one in freed) == run.bytes
    assert all(one["count"] for one in freed)


def test_whatever_line_it_dies_on_the_next_run_comes_to_the_end(
    kept: Kept, term: Term, values: Values, share: Path, ended: Callable[..., str], removing: Removing, hasty: None
) -> None:
    lines = ("jobs/retention.py", "jobs/deleting.py", "retention/removals.py")

    def work() -> None:
        kept.run(term, values)
        removing.run(term)

    kinds = {one.name for one in SETTINGS}
    for setting in kinds - {"facts.days", "audit.days"}:
        values.set(setting, "20")
    died, dying = 0, True
    while dying:
        job = ended(21)
        died += 1
        dying = dies_at(died * 2, work, lines_of=lines)
        if Job.get_or_none(Job.id == job) is not None and not kept.left(share, job):
            row = Job.get_by_id(job)
            marks = {"results.days": row.results_run, "inputs.days": row.input_run, "logs.days": row.log_run}
            assert marks.get(kept.setting, True), "who looks now is told"
        work()
        assert not kept.left(share, job), died
        assert not Removal.select().exists()
    assert died > 10


def test_the_rows_of_a_run_are_as_many_as_there_are_old_jobs_and_in_steps(
    term: Term,
    values: Values,
    share: Path,
    ended: Callable[..., str],
    removing: Removing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many jobs end in one moment; each is come to once."""
    monkeypatch.setattr("webfront.jobs.retention.ended_jobs", partial(_few, most=2))
    at = time.time() - 400 * DAY_S
    jobs = [ended(400) for _ in range(5)]
    Job.update(finished_at=at).execute()
    forget_old_results(term, values=values)
    assert sorted(row.path for row in Removal.select()) == [f"results/{job}" for job in sorted(jobs)]
    assert RetentionRun.get().count == 5


def _few(name: str, before: float, most: int) -> object:
    from webfront.retention.runs import ended_jobs

    return ended_jobs(name, before, most)


def test_nothing_goes_that_somebody_has_still_to_read_of(
    term: Term, values: Values, share: Path, ended: Callable[..., str]
) -> None:
    Consumer.create(name=TOLD[0], batch=0)
    job = ended(2000, told=False)
    assert forget_old_jobs(term, values=values, consumers=TOLD) == ""
    number(term)
    assert forget_old_logs(term, values=values, consumers=TOLD) == ""
    assert forget_old_jobs(term, values=values, consumers=TOLD) == ""
    assert all(all_of_it(share, job))
    Consumer.update(batch=9).execute()
    assert forget_old_jobs(term, values=values, consumers=TOLD)


def test_a_scheduler_that_leads_no_more_removes_nothing(
    kept: Kept, term: Term, values: Values, share: Path, ended: Callable[..., str]
) -> None:
    values.set(kept.setting, "20")
    job = ended(21)
    Leadership("another").take_over(2000.0)
    with pytest.raises(Deposed):
        kept.run(term, values)
    assert all(all_of_it(share, job))


READ = {
    "results": (forget_old_results, "/outputs/predictions.csv", "Its results were deleted on {}", 180),
    "log": (forget_old_logs, "/log", "Its log was deleted on {}", 30),
}


@pytest.mark.parametrize("what", sorted(READ))
def test_a_reader_is_told_when_and_why(
    what: str,
    term: Term,
    values: Values,
    ended: Callable[..., str],
    browse: Callable[..., httpx.Client],
    removing: Removing,
) -> None:
    chore, path, words, days = READ[what]
    job, bob = ended(200), browse("bob")
    before = bob.get(f"/api/v1/jobs/{job}{path}")
    assert before.status_code == 200
    chore(term, values=values, **({"consumers": TOLD} if what == "log" else {}))  # type: ignore[operator]
    said = words.format(time.strftime("%Y-%m-%d", time.gmtime())) + f" by the retention of {days} days."
    for _ in range(2):  # as soon as it is decided, and when it is done
        answer = bob.get(f"/api/v1/jobs/{job}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")
        assert answer.json()["error"]["message"] == said
        assert said in bob.get(f"/jobs/{job}").text
        removing.run(term)
    page = bob.get(f"/jobs/{job}/log.txt" if what == "log" else f"/jobs/{job}/outputs/predictions.csv")
    assert page.status_code == 410
    assert said in page.text
    assert bob.get(f"/api/v1/jobs/{job}").json()["job"][f"{what}_deleted"]["days"] == days


def test_a_ranking_is_shown_wherever_it_stands_and_goes_by_its_age(
    term: Term, values: Values, ended: Callable[..., str], browse: Callable[..., httpx.Client]
) -> None:
    """Attempts from before rankings had a table of their own have theirs in the decision."""
    old, older, young = ended(8, Cause.NODE_LOST, Cause.OK), ended(9, Cause.NODE_LOST, Cause.OK), ended(1)
    whole = PLACEMENT | {"ranking": shown(RANKING)}
    Ranking.delete().where(Ranking.job == older).execute()
    Attempt.update(placement=whole).where(Attempt.job == older).execute()
    bob = browse("bob")

    def placements(job: str) -> list[dict[str, object]]:
        return [one["placement"] for one in bob.get(f"/api/v1/jobs/{job}").json()["job"]["attempts"]]

    assert placements(old) == placements(older) == [whole] * 2
    for job in (old, older, young):
        assert "node-19" in bob.get(f"/jobs/{job}").text
    assert forget_old_rankings(term, values=values).startswith("removed 4 rankings")
    kept, inside, without = (len(msgspec.json.encode(one)) for one in (RANKING, whole, PLACEMENT))
    assert RetentionRun.get().bytes == 2 * kept + 2 * (inside - without)
    assert placements(old) == placements(older) == [PLACEMENT] * 2
    assert placements(young) == [whole]
    for job in (old, older):
        page = bob.get(f"/jobs/{job}")
        assert (page.status_code, "node-19" in page.text) == (200, False)


@pytest.mark.stores("sqlite")  # InnoDB uses what is left in a page beside rows that stay
def test_the_room_of_rankings_that_went_is_used_for_those_that_come(
    term: Term, values: Values, ended: Callable[..., str], database: peewee.Database
) -> None:
    """SQLite's pages come free as a whole: what is left in one beside rows that stay is not used again."""

    def free() -> int:
        (pages,), (size,) = (
            database.execute_sql(f"PRAGMA {one}").fetchone() for one in ("freelist_count", "page_size")
        )
        return int(pages * size)

    for _ in range(30):
        ended(8)
    before = free()
    forget_old_rankings(term, values=values)
    assert free() - before > RetentionRun.get().bytes > 0
    for _ in range(30):
        ended(1)
    assert free() <= before


def test_the_rows_of_runs_go_when_no_job_can_point_to_them(
    term: Term, values: Values, ended: Callable[..., str], browse: Callable[..., httpx.Client]
) -> None:
    values.set("jobs.days", "500")
    young, _ = ended(200), ended(450)
    forget_old_results(_later(term, -190 * DAY_S), values=values)  # of the old one alone
    forget_old_results(term, values=values)
    assert RetentionRun.select().count() == 2
    forget_old_jobs(_later(term, 60 * DAY_S), values=values, consumers=())
    assert Job.get().id == young
    assert browse("bob").get(f"/api/v1/jobs/{young}").json()["job"]["results_deleted"]["days"] == 180
    assert [row.what for row in RetentionRun.select().order_by(RetentionRun.at)] == ["results", "results", "jobs"]
    # The first run is more than 500 days old, and what it came to is gone.
    forget_old_jobs(_later(term, 320 * DAY_S), values=values, consumers=())
    assert [row.what for row in RetentionRun.select().order_by(RetentionRun.at)] == ["results", "jobs", "jobs"]
    forget_old_jobs(_later(term, 2000 * DAY_S), values=values, consumers=())
    assert not RetentionRun.select().exists()


def test_an_input_that_is_gone_is_told_where_it_is_wanted_again(
    term: Term, values: Values, ended: Callable[..., str], browse: Callable[..., httpx.Client]
) -> None:
    job, bob = ended(200), browse("bob")
    forget_old_inputs(term, values=values)
    body = {"name": "nightly", "app": "tool", "cron": "0 3 * * *", "zone": "UTC", "input_of": job}
    answer = bob.post("/api/v1/schedules", json=body)
    assert (answer.status_code, "Its input was deleted on" in answer.text) == (410, True)
    assert "It was deleted on" in bob.get(f"/jobs/{job}").text


def test_what_an_attempt_stored_that_does_not_count_goes_at_once(
    term: Term, share: Path, ended: Callable[..., str], removing: Removing
) -> None:
    job = ended(0, Cause.NODE_LOST, Cause.APP_ERROR)
    facts = recent_facts(kind="attempt.end", user="", before=None, limit=9).facts
    Superseded()(facts)
    assert removing.run(term) == "removed 1 superseded results, 0.0 MB"
    assert sorted(one.name for one in (share / "results" / job).iterdir()) == ["2"]
    # Its node was cut off and comes back: a day later it is looked once more.
    late = store_results(share, job, 1)
    removing.run(_later(term, 2 * DAY_S))
    assert not late.exists()
    assert not Removal.select().exists()


def test_the_attempt_that_failed_is_given_up_while_its_job_goes_on(
    term: Term, share: Path, ended: Callable[..., str], removing: Removing
) -> None:
    job = ended(0, Cause.NODE_LOST)
    Job.update(state="queued", finished_at=None).execute()
    Superseded()(recent_facts(kind="attempt.end", user="", before=None, limit=9).facts)
    removing.run(term)
    assert not list((share / "results" / job).iterdir())


def _later(term: Term, seconds: float) -> Term:
    return Term(term.epoch, lambda: time.time() + seconds)


def test_what_cannot_be_removed_holds_up_nothing_and_is_tried_again(
    term: Term,
    share: Path,
    values: Values,
    ended: Callable[..., str],
    removing: Removing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stuck, other = ended(400), ended(400)
    forget_old_results(term, values=values)
    whole = share / "results" / stuck

    def refuse(path: Path) -> None:
        if path == whole:
            raise PermissionError(13, "Permission denied", str(path))
        real(path)

    real = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(PermissionError):
        removing.run(term)
    assert not (share / "results" / other).exists()
    monkeypatch.undo()
    assert removing.run(term) == ""
    removing.run(_later(term, 600))
    assert not whole.exists()
    # What lay there by another name as well has freed nothing.
    assert RetentionRun.get().bytes == 4 * len(PREDICTIONS)


def test_an_input_that_is_a_schedules_too_frees_nothing(
    term: Term, share: Path, values: Values, ended: Callable[..., str], removing: Removing
) -> None:
    job = ended(400)
    twin = share / "twin.csv"
    twin.hardlink_to(share / "inputs" / job / "in.csv")
    forget_old_inputs(term, values=values)
    removing.run(term)
    assert twin.read_bytes() == INPUT
    assert RetentionRun.get().bytes == 0


def test_versions_that_nobody_ran_go_but_never_the_newest_nor_one_that_is_scheduled(
    term: Term,
    share: Path,
    values: Values,
    ended: Callable[..., str],
    upload: Callable[[str], str],
    removing: Removing,
    bob: object,
) -> None:
    ended(1)  # of the first version
    used = AppVersion.get().hash
    unused, pinned, newest = upload("print(2)"), upload("print(3)"), upload("print(4)")
    AppVersion.update(uploaded_at=AppVersion.id).execute()
    Schedule.create(
        id="S" * 26, user=bob.id, name="nightly", app="tool", version=pinned, cron="@daily", zone="UTC",  # type: ignore[attr-defined]
        when_running="skip", state="active", created_at=0,
    )  # fmt: skip
    assert forget_unused(term, values=values) == "deleted 1 versions that nobody has run"
    removing.run(_later(term, 100))
    assert {one.name for one in (share / "apps").iterdir()} == {used, pinned, newest}
    assert forget_unused(_later(term, 2 * DAY_S), values=values) == ""
    assert {row.hash for row in AppVersion.select()} == {used, pinned, newest}, "nobody names it"
    assert upload("print(2)") == unused
    assert (share / "apps" / unused).is_dir()


def test_old_plays_go_with_their_steps_and_say_so(
    term: Term, values: Values, services: object, browse: Callable[..., httpx.Client]
) -> None:
    plays = []
    for days, state in ((400, "succeeded"), (1, "failed"), (400, "running")):
        over = None if state == "running" else time.time() - days * DAY_S
        play = Play.create(verb="drain", node="n", state=state, requested_by="ada", created_at=0, finished_at=over)
        PlayEvent.create(play=play, number=1, at=0, step="one", state="ok")
        plays.append(play.id)
    assert forget_old_plays(term, values=values) == "removed 1 plays"
    assert [row.id for row in Play.select().order_by(Play.id)] == plays[1:]
    assert PlayEvent.select().count() == 2
    answer = browse("ada").get(f"/api/v1/plays/{plays[0]}")
    assert answer.status_code == 410
    assert browse("ada").get(f"/api/v1/plays/{plays[-1] + 1}").status_code == 404


def test_what_people_did_is_kept_longer(term: Term, values: Values) -> None:
    def happen(kind: Kind, days: float) -> None:
        with transaction():
            record_many([NewFact(kind, time.time() - days * DAY_S)])

    for kind in (Kind.JOB_END, Kind.JOB_CANCEL, Kind.JOB_SUBMIT):
        for days in (400, 100, 10):
            happen(kind, days)
    number(term)
    Consumer.create(name="quick", batch=9)
    Consumer.create(name="slow", batch=0)

    def kept() -> list[tuple[str, int]]:
        rows = Fact.select().where(Fact.kind != "space.free").order_by(Fact.id)
        return [(row.kind, round((time.time() - row.at) / DAY_S)) for row in rows]

    assert forget_old_facts(term, values=values, consumers=["quick", "slow"]) == ""
    assert len(kept()) == 9
    Consumer.update(batch=9).execute()
    said = forget_old_facts(term, values=values, consumers=["quick", "slow"])
    assert said == "removed 4 facts, removed 1 facts of what people did"
    assert kept() == [("job.end", 10), ("job.cancel", 100), ("job.cancel", 10), ("job.submit", 10)]
    values.set("facts.days", "2000")  # then the others are kept as long as the audit, and it as long as they
    happen(Kind.JOB_CANCEL, 1000)
    number(term)
    Consumer.update(batch=99).execute()
    assert forget_old_facts(term, values=values, consumers=["quick"]) == ""
    # A number is never given twice, though nothing that bears one is left.
    values.set("facts.days", "1")
    values.set("audit.days", "1")
    forget_old_facts(term, values=values, consumers=["quick"])
    assert {kind for kind, _ in kept()} == {"setting.change"}
