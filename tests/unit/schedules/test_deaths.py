"""A scheduler that is killed on any line of its way to a job: whoever takes over leaves exactly one."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import peewee
import pytest
from playhouse.pool import PooledDatabase
from support.schedules import NOON, Bench

import webfront
from webfront.database import models
from webfront.database.models import Fact, Job, ScheduleTick
from webfront.jobs.submission import sweep_inputs

ROOM = Path(webfront.__file__).parent
LINES = {
    str(ROOM / name)
    for name in (
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
}


def dies_at(bench: Bench, number: int) -> bool:
    """Have another process look after what is due, and die before its line of this number. False: it got to its end."""
    models.database.close()
    if isinstance(database := models.database.obj, PooledDatabase):
        # A socket that both processes held would outlive the child, and its transaction with it.
        database.close_idle()
    child = os.fork()
    if child == 0:
        left = number

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in LINES:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            bench.ticker.run(bench.term)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.fixture
def hasty(database: peewee.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for no disk: these processes die, the machine does not."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if isinstance(database, peewee.SqliteDatabase):
        database.pragma("synchronous", 0, permanent=True)


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
        dying = dies_at(bench, number)
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
