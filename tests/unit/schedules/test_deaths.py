"""A scheduler that is killed on any line of its way to a job: whoever takes over leaves exactly one."""

from __future__ import annotations

import time

import pytest
from support.deaths import dies_at
from support.schedules import NOON, Bench

from webfront.database.models import Fact, Job, ScheduleTick
from webfront.jobs.submission import sweep_inputs

LINES = (
    "schedules/ticking.py",
    "schedules/making.py",
    "schedules/rows.py",
    "schedules/kept.py",
    "jobs/inputs.py",
    "jobs/submission.py",
    "jobs/intake.py",
    "activity/term.py",
    "share.py",
)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("outcome", "pace"), [("submitted", 1), ("skipped", 5)])
def test_exactly_one_job_whatever_line_it_dies_on(bench: Bench, outcome: str, pace: int) -> None:
    bench.make(data=b"1,2")
    if outcome == "skipped":
        bench.tick(NOON + 15 * 60)
    number, dying = 0, True
    while dying:
        number += pace
        bench.now += 15 * 60
        jobs, facts = Job.select().count(), Fact.select().where(Fact.kind == "schedule.tick").count()
        dying = dies_at(number, lambda: bench.ticker.run(bench.term), lines_of=LINES)
        bench.take_over()
        bench.tick()
        tick = ScheduleTick.get(ScheduleTick.due_at == bench.now)
        assert tick.outcome == outcome, number
        assert Job.select().count() == jobs + (outcome == "submitted"), number
        assert Fact.select().where(Fact.kind == "schedule.tick").count() == facts + 1, number
        if outcome == "submitted":
            assert (bench.share / str(Job.get_by_id(tick.job).input)).read_bytes() == b"1,2", number
            bench.end_jobs()
    assert number > (100 if outcome == "submitted" else 30)
    # What the dead left on the share belongs to no job, and goes.
    sweep_inputs(bench.share, time.time() + 2 * 86400)
    folders = {entry.name for entry in (bench.share / "inputs").iterdir()}
    assert folders == {"schedules"} | {job.id for job in Job.select()}
