"""The chore that makes schedules' jobs: one for each due time, whatever happens in between, and the rest told."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import peewee
import pytest
from support.schedules import NOON, Bench

from webfront.activity.term import Deposed
from webfront.database.models import App, AppVersion, Fact, Job, Schedule, ScheduleTick
from webfront.errors import Unavailable
from webfront.schedules import making, ticking
from webfront.schedules.rows import KEPT_TICKS, MOST_OPEN

MINUTE = 60.0
HOUR = 3600.0


def jobs() -> list[Job]:
    return list(Job.select().order_by(Job.id))


def tick_facts() -> list[Fact]:
    return list(Fact.select().where(Fact.kind == "schedule.tick").order_by(Fact.id))


def test_each_due_time_makes_one_job_of_the_newest_version(bench: Bench) -> None:
    made = bench.make(data=b"1,2", parameters={"level": "3"})
    assert (made.next_at, made.state) == (NOON + 15 * MINUTE, "active")
    assert bench.tick(NOON + 15 * MINUTE - 1) == ""
    assert bench.tick(NOON + 15 * MINUTE) == "1 submitted"
    assert bench.tick(NOON + 15 * MINUTE + 1) == ""
    (job,) = jobs()
    bench.end_jobs()
    newest = bench.app(parameters={"level": {"default": "1"}, "more": {"default": "x"}})
    bench.tick(NOON + 30 * MINUTE)
    first, second = jobs()
    assert (first.schedule, first.state, first.user_id, first.parameters) == (
        made.id,
        "succeeded",
        bench.ada.id,
        {"level": "3"},
    )
    assert (second.app_version_id, second.parameters) == (newest.id, {"level": "3", "more": "x"})
    # Each has its input for itself, linked rather than copied.
    files = [bench.share / str(one.input) for one in (first, second)]
    assert [file.relative_to(bench.share).parts[:2] for file in files] == [("inputs", first.id), ("inputs", second.id)]
    assert [file.read_bytes() for file in files] == [b"1,2"] * 2
    assert files[0].stat().st_nlink == 3
    assert bench.told() == [(15, "submitted"), (30, "submitted")]
    facts = tick_facts()
    assert [(fact.outcome, fact.user, fact.app, fact.job) for fact in facts] == [
        ("success", "ada", "tool", job.id),
        ("success", "ada", "tool", second.id),
    ]
    assert facts[0].data == {"schedule": made.id, "name": "nightly", "became": "submitted", "count": 1, "words": ""}
    # The job is accepted like any other.
    (accepted,) = Fact.select().where(Fact.kind == "job.submit", Fact.job == job.id)
    assert (accepted.user, accepted.controller) == ("ada", "schedules")


def test_a_pinned_version_stays(bench: Bench) -> None:
    pinned = AppVersion.get()
    bench.make(version=pinned.hash[:12])
    assert bench.service.get(bench.ada, "nightly").version == pinned.hash
    bench.app()
    bench.tick(NOON + 15 * MINUTE)
    assert jobs()[0].app_version_id == pinned.id


def test_while_the_last_job_runs_a_time_is_skipped_or_queued(bench: Bench) -> None:
    bench.make()
    bench.make(name="queued", when_running="queue")
    for minute in (15, 30):
        bench.tick(NOON + minute * MINUTE)
    assert bench.told() == [(15, "submitted"), (30, "skipped")]
    assert bench.last().words == "Its last job had not ended."
    assert bench.told("queued") == [(15, "submitted"), (30, "submitted")]
    bench.end_jobs()
    bench.tick(NOON + 45 * MINUTE)
    assert bench.told()[-1] == (45, "submitted")


def test_a_queue_behind_a_stuck_job_has_an_end(bench: Bench) -> None:
    made = bench.make(when_running="queue", cron="* * * * *")
    for minute in range(1, MOST_OPEN + 3):
        bench.tick(NOON + minute * MINUTE)
    assert Job.select().count() == MOST_OPEN
    last = bench.last(made.name)
    assert (last.outcome, last.words) == (
        "skipped",
        f"{MOST_OPEN} of its jobs had not ended: so many may wait or run at once.",
    )


def test_missed_times_are_told_and_not_run_in_a_burst(bench: Bench) -> None:
    bench.make(cron="0 * * * *")
    assert bench.tick(NOON + 5 * HOUR + 10 * MINUTE) == "1 missed"
    assert jobs() == []
    told = bench.last()
    assert (told.outcome, told.count, told.due_at, told.until_at) == ("missed", 5, NOON + HOUR, NOON + 5 * HOUR)
    assert told.words.startswith("5 times from 26 June 2026 13:00 to 26 June 2026 17:00 were missed: ")
    (fact,) = tick_facts()
    assert (fact.outcome, fact.data["became"], fact.data["count"]) == ("failure", "missed", 5)
    bench.tick(NOON + 6 * HOUR)
    assert bench.told()[-1] == (360, "submitted")


def test_a_restart_loses_no_time(bench: Bench) -> None:
    bench.make(cron="0 * * * *")
    bench.take_over()
    assert bench.tick(NOON + 2 * HOUR + 2 * MINUTE) == "1 missed, 1 submitted"
    assert bench.told() == [(60, "missed"), (120, "submitted")]


def test_one_date_and_time_comes_once(bench: Bench) -> None:
    bench.make(at="2026-06-26T14:30", zone="Europe/Berlin")
    bench.make(at="2026-06-26T14:31", zone="Europe/Berlin", name="later")
    bench.tick(NOON + 30 * MINUTE)
    bench.tick(NOON + 2 * HOUR)
    assert Job.select().count() == 1
    done, late = bench.service.get(bench.ada, "nightly"), bench.service.get(bench.ada, "later")
    assert (done.state, done.state_reason, done.next_at, bench.told()) == ("finished", "", None, [(30, "submitted")])
    assert (late.state, bench.told("later")) == ("finished", [(31, "missed")])
    assert late.state_reason.startswith("The time 26 June 2026 14:31 was missed: ")


def test_what_no_longer_fits_is_told_and_tried_again(bench: Bench) -> None:
    bench.make(parameters={"level": "3"})
    bench.app(parameters={"depth": {}}, inputs={"required": True})
    bench.tick(NOON + 15 * MINUTE)
    found = bench.service.get(bench.ada, "nightly")
    assert (found.state, bench.last().outcome) == ("active", "refused")
    assert bench.last().words == "tool has no parameter level; it has: depth."
    assert [fact.outcome for fact in tick_facts()] == ["failure"]
    bench.app()
    bench.tick(NOON + 30 * MINUTE)
    assert bench.told() == [(15, "refused"), (30, "submitted")]


def test_a_schedule_whose_app_or_input_is_gone_is_paused(bench: Bench) -> None:
    bench.make(data=b"1,2")
    bench.make(name="other")
    kept = bench.share / str(Schedule.get(Schedule.name == "nightly").input)
    kept.unlink()
    App.update(name="renamed").execute()
    bench.tick(NOON + 15 * MINUTE)
    App.update(name="tool").execute()
    found = bench.service.get(bench.ada, "other")
    assert (found.state, found.next_at, bench.last("other").outcome) == ("paused", None, "refused")
    assert found.state_reason == "There is no app tool. Give it another app, version or input, then resume it."
    bench.service.resume(bench.ada, "nightly")
    bench.tick(NOON + 30 * MINUTE)
    found = bench.service.get(bench.ada, "nightly")
    assert found.state_reason.startswith("This file is not on the share any more.")
    assert jobs() == []
    assert [entry.name for entry in (bench.share / "inputs").iterdir()] == ["schedules"]


def test_a_clock_that_is_set_back_runs_no_time_twice(bench: Bench) -> None:
    bench.make(cron="* * * * *", when_running="queue")
    for minute in range(1, 6):
        bench.tick(NOON + minute * MINUTE)
    for minute in range(1, 8):
        bench.tick(NOON + minute * MINUTE)
    assert bench.told() == [(minute, "submitted") for minute in range(1, 8)]


def test_a_clock_that_was_a_year_ahead_stops_nothing(bench: Bench) -> None:
    bench.make(cron="0 * * * *")
    bench.tick(NOON + 365 * 24 * HOUR + 30 * MINUTE)
    bench.tick(NOON + 1)
    assert bench.service.get(bench.ada, "nightly").next_at == NOON + 2 * HOUR  # 13:00 stands as the first of the missed
    bench.tick(NOON + 2 * HOUR)
    assert Job.select().count() == 1


def test_what_a_takeover_finds_half_done_is_done_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another scheduler takes over on the way to the transaction: the former one writes nothing."""
    bench.make(data=b"1,2")
    former, ticker = bench.term, bench.ticker
    prepare = making.prepare

    def then_deposed(*given: Any) -> Any:
        made = prepare(*given)
        bench.take_over()
        return made

    bench.now = NOON + 15 * MINUTE
    with monkeypatch.context() as patch:
        patch.setattr(ticking, "prepare", then_deposed)
        with pytest.raises(Deposed):
            ticker.run(former)
    assert jobs() == []
    assert bench.tick() == "1 submitted"
    assert len(jobs()) == 1


def test_a_change_in_the_middle_wins(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.make(data=b"1,2")
    prepare = making.prepare

    def then_paused(*given: Any) -> Any:
        made = prepare(*given)
        bench.service.pause(bench.ada, "nightly")
        return made

    monkeypatch.setattr(ticking, "prepare", then_paused)
    assert bench.tick(NOON + 15 * MINUTE) == ""
    assert jobs() == []
    # What was prepared is taken back.
    assert [entry.name for entry in (bench.share / "inputs").iterdir()] == ["schedules"]


def test_the_unique_key_alone_keeps_a_due_time_to_one_job(bench: Bench) -> None:
    made = bench.make()
    bench.tick(NOON + 15 * MINUTE)
    with pytest.raises(peewee.IntegrityError):
        ScheduleTick.create(schedule=made.id, due_at=NOON + 15 * MINUTE, at=0, outcome="submitted")
    Schedule.update(next_at=NOON + 15 * MINUTE).execute()
    bench.end_jobs()
    bench.take_over()
    assert bench.tick(NOON + 15 * MINUTE) == ""
    assert (len(jobs()), bench.service.get(bench.ada, "nightly").next_at) == (1, NOON + 30 * MINUTE)


def test_a_share_that_cannot_be_written_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.make(data=b"1,2")
    bench.make(name="without")

    def away(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", away)
        patch.setattr("webfront.jobs.inputs.write_file", away)
        with pytest.raises(Unavailable, match="No space left"):
            bench.tick(NOON + 15 * MINUTE)
    assert bench.told("without") == [(15, "submitted")]
    bench.tick(NOON + 16 * MINUTE)
    assert bench.told() == [(15, "submitted")]


def test_a_schedule_that_breaks_holds_up_no_other(bench: Bench) -> None:
    bench.make()
    bench.app("broken", parameters=7)
    Schedule.update(app="broken").execute()
    bench.make(name="other")
    with pytest.raises(msgspec.ValidationError):
        bench.tick(NOON + 15 * MINUTE)
    assert bench.told("other") == [(15, "submitted")]


def test_a_file_system_without_links_copies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.make(data=b"1,2")

    def without(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", without)
    bench.tick(NOON + 15 * MINUTE)
    file = bench.share / str(jobs()[0].input)
    assert (file.read_bytes(), file.stat().st_nlink) == (b"1,2", 1)


def test_only_the_last_ticks_are_kept(bench: Bench) -> None:
    made = bench.make(cron="* * * * *")
    ticks = [{"schedule": made.id, "due_at": float(n), "at": 0, "outcome": "skipped"} for n in range(KEPT_TICKS)]
    ScheduleTick.insert_many(ticks).execute()
    bench.tick(NOON + MINUTE)
    assert ScheduleTick.select().count() == KEPT_TICKS
    assert ScheduleTick.select().where(ScheduleTick.due_at == 0).count() == 0
    assert len(bench.service.get(bench.ada, made.id).ticks) == 20
