"""Schedules under real scheduler processes: each due time one job, across takeovers; what was missed is told."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from support.platform import Platform, ScriptedNode, until
from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.database.models import AppVersion, Fact, Job, Schedule, ScheduleTick
from webfront.jobs.identifiers import Ulids

MINUTE = 60
HOUR = 3600


@pytest.fixture
def platform(broker: PrivateRabbit, store: Store, database: object, tmp_path: Path) -> Platform:
    return Platform(broker, store, tmp_path)


def due_since(platform: Platform, moment: float, *, count: int = 1, **fields: object) -> list[str]:
    """Schedules that nobody has come to since this moment."""
    share, ids = platform.directory / "share", Ulids()
    made = []
    for _ in range(count):
        schedule = ids.next()
        kept = share / "inputs/schedules" / schedule / "in.csv"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"1,2")
        plan = {"app": "noop", "zone": "UTC", "cron": "* * * * *", "when_running": "queue", "state": "active"}
        Schedule.create(
            **plan | fields,
            id=schedule,
            name=schedule.lower(),
            user=platform.user,
            input=str(kept.relative_to(share)),
            next_at=moment,
            created_at=moment,
        )
        made.append(schedule)
    return made


def minute_begun() -> float:
    """The last full minute; long enough before the next one for a test to take its time."""
    left = MINUTE - time.time() % MINUTE
    if left < 20:
        time.sleep(left + 0.1)
    return time.time() // MINUTE * MINUTE


def ticks(schedules: list[str]) -> list[ScheduleTick]:
    return list(ScheduleTick.select().where(ScheduleTick.schedule.in_(schedules)))


def test_a_due_schedules_job_runs(platform: Platform) -> None:
    async def scenario() -> None:
        platform.node("alpha", slots=2)
        platform.app()
        async with platform.working(), ScriptedNode(platform, "alpha").working() as alpha:
            (schedule,) = due_since(platform, minute_begun())
            await until(lambda: platform.states([job.id for job in Job.select()]) == {"succeeded": 1})
            (tick,), job = ticks([schedule]), Job.get()
            assert (tick.outcome, tick.job, job.schedule) == ("submitted", job.id, schedule)
            assert (platform.directory / "share" / str(alpha.orders[0].input)).read_bytes() == b"1,2"
            assert Schedule.get().next_at == tick.due_at + MINUTE

    asyncio.run(scenario())


def test_each_due_time_is_one_job_across_takeovers_in_that_second(platform: Platform) -> None:
    """The leader is killed in the middle of its ticks, at some line; the one on standby goes on at once."""

    async def scenario() -> None:
        platform.app()
        chance = random.Random(8)
        async with platform.working():
            leader = platform.schedulers[0]
            for _ in range(4):
                standby = platform.start_scheduler()
                await until(lambda: "stands by" in platform.log())
                due = minute_begun()
                schedules = due_since(platform, due, count=40)
                await until(lambda: ticks(schedules))  # noqa: B023
                await asyncio.sleep(chance.uniform(0, 0.3))
                leader.kill()
                leader.wait()
                leader = standby
                await until(lambda: len(ticks(schedules)) == 40)  # noqa: B023
                await asyncio.sleep(1.5)  # another look, which finds nothing
                found = ticks(schedules)
                assert {tick.due_at for tick in found} == {due}
                assert {tick.outcome for tick in found} == {"submitted"}
                for schedule in schedules:
                    (job,) = Job.select().where(Job.schedule == schedule)
                    assert (platform.directory / "share" / str(job.input)).read_bytes() == b"1,2"
                Schedule.update(state="paused", next_at=None).execute()
            assert Job.select().count() == 4 * 40 == Fact.select().where(Fact.kind == "schedule.tick").count()

    asyncio.run(scenario())


def test_what_was_missed_while_none_ran_is_told(platform: Platform) -> None:
    async def scenario() -> None:
        version: AppVersion = platform.app()
        now = time.time() // MINUTE * MINUTE
        last = now - 30 * MINUTE
        hourly = f"{int(last % HOUR) // MINUTE} * * * *"
        (missed,) = due_since(platform, last - 2 * HOUR, cron=hourly)
        (late,) = due_since(platform, minute_begun() - 2 * MINUTE, version=version.hash)
        async with platform.working():
            await until(lambda: len(ticks([missed, late])) == 3)
            await asyncio.sleep(1.5)
            (told,) = ticks([missed])
            assert (told.outcome, told.count, told.due_at, told.until_at) == ("missed", 3, last - 2 * HOUR, last)
            assert Schedule.get_by_id(missed).next_at == last + HOUR
            # A restart loses no time: the latest one gets its job, and those before it are told.
            by_outcome = {tick.outcome: tick for tick in ticks([late])}
            assert (by_outcome["missed"].count, by_outcome["submitted"].job) == (2, Job.get().id)
            assert Job.select().count() == 1

    asyncio.run(scenario())
