"""For tests of schedules: a database and a share, a clock that the test sets, and a scheduler that is its calls."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import msgspec

from webfront.accounts.views import Account
from webfront.database.models import App, AppVersion, Job
from webfront.jobs.inputs import InputFile
from webfront.schedules.service import ScheduleService
from webfront.schedules.ticking import Ticker
from webfront.schedules.views import Plan, ScheduleView, TickView
from webfront.scheduling.leadership import Leadership

NOON = 1782475200.0
"""26 June 2026, 12:00 UTC, a Friday."""


@dataclasses.dataclass
class Bench:
    """A platform whose scheduler is only this test's calls of `tick`."""

    share: Path
    ada: Account
    now: float = NOON

    def __post_init__(self) -> None:
        self.service = ScheduleService(self.share, lambda job: None, lambda: self.now)
        self.take_over()

    def take_over(self) -> None:
        """Another scheduler leads from now on."""
        self.term = Leadership("the tests").take_over(self.now)
        self.term.now = lambda: self.now
        self.ticker = Ticker(self.share)

    def tick(self, at: float | None = None) -> str:
        """One look of the chore, at this time."""
        self.now = self.now if at is None else at
        return self.ticker.run(self.term)

    def app(self, name: str = "tool", **manifest: object) -> AppVersion:
        """A new version of an app."""
        app = App.get_or_none(App.name == name) or App.create(name=name, owner=self.ada.id, created_at=0)
        number = AppVersion.select().count() + 1
        return AppVersion.create(
            app=app, hash=f"{number:064x}", manifest={"name": name, **manifest}, size=1, uploaded_at=self.now + number
        )

    def make(self, *, data: bytes | None = None, **plan: object) -> ScheduleView:
        times = {} if "at" in plan else {"cron": "*/15 * * * *"}
        fields = {"name": "nightly", "app": "tool", "zone": "UTC"} | times | plan
        given = None if data is None else InputFile("in.csv", io.BytesIO(data))
        return self.service.create(self.ada, msgspec.convert(fields, Plan), given)

    def told(self, key: str = "nightly") -> list[tuple[float, str]]:
        """What became of its last times, oldest first: when after noon, in minutes, and the outcome."""
        ticks = reversed(self.service.get(self.ada, key).ticks)
        return [((tick.due_at - NOON) / 60, tick.outcome.value) for tick in ticks]

    def last(self, name: str = "nightly") -> TickView:
        """Its last time."""
        last = self.service.get(self.ada, name).last
        assert last is not None
        return last

    def end_jobs(self) -> None:
        Job.update(state="succeeded", finished_at=self.now).execute()
