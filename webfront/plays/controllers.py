"""Which controllers run plays, and which of them is gone.

A play is run by the controller that was asked for it, because its secrets are in that process's memory and go nowhere
else. Each plays process says every few seconds that it is there, by a number that grows; the others look whether it
does. One that stands still for several looks is taken to be gone: what it ran is cut off, and what waits there is run
here. Looks are counted, and no clocks compared: those of two machines may differ, and while the database is away nobody
can say anything.

A process that was only stopped for a while finds, when it goes on, that its plays have ended, and stops them.

One of them works for the nodes without an agent, and its row says so. It goes on as long as it is there, whoever else
comes: what runs on those nodes is known to it alone, and would be tried again elsewhere.
"""

from __future__ import annotations

from typing import Final

from webfront.database.connection import transaction
from webfront.database.models import Controller, Play
from webfront.plays.states import PlayState

LOOK_EVERY_S: Final = 5.0
STILL_LOOKS: Final = 6
"""So many looks in a row without a change, and a controller is gone."""

ANYONE: Final = ""
"""The controller of plays from before there were several."""


class Controllers:
    """This controller among the others. Not for use by several threads."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._seen: dict[str, tuple[int, int]] = {}
        """Of each other: the newest number, and the looks since it changed."""
        self.works = False
        """Whether this one works for the nodes without an agent, as of its last look."""

    def beat(self) -> None:
        """Say that this one is there, and look at the others. peewee's errors when the database is away."""
        with transaction():
            if not Controller.update(beats=Controller.beats + 1).where(Controller.name == self._own).execute():
                Controller.insert(name=self._own, beats=1).on_conflict_ignore().execute()
        rows = list(Controller.select())
        found = {row.name: row.beats for row in rows if row.name != self._own}
        for name, beats in found.items():
            before, looks = self._seen.get(name, (-1, 0))
            self._seen[name] = (beats, looks + 1 if beats == before else 0)
        for name in self._seen.keys() - found.keys():
            del self._seen[name]
        self._settle({row.name for row in rows if row.works} - self.gone)

    def _settle(self, working: set[str]) -> None:
        """Who works for the nodes without an agent: who did, or else the first by name of those that are there.

        Two that came in the same moment may both say so. The first by name stays.
        """
        there = working or {self._own, *self._seen} - self.gone
        works = min(there) == self._own
        with transaction():
            # One that was taken to be gone finds, when it goes on, that its right has gone too.
            if works and self.gone:
                Controller.update(works=False).where(Controller.name.in_(self.gone), Controller.works).execute()
            if works is not (self._own in working):
                Controller.update(works=works).where(Controller.name == self._own).execute()
        self.works = works

    @property
    def gone(self) -> frozenset[str]:
        return frozenset(name for name, (_, looks) in self._seen.items() if looks >= STILL_LOOKS)

    def runs_for(self) -> list[str]:
        """Whose queued plays are run here."""
        return [self._own, ANYONE, *self.gone]

    def left_running(self) -> list[Play]:
        """The plays that ran on a controller that is gone."""
        gone = self.gone
        return list(Play.select().where(Play.state == PlayState.RUNNING, Play.controller.in_(gone))) if gone else []


def claim(play_id: int, own: str, now: float) -> bool:
    """Take a queued play for this controller. False when it is no longer queued."""
    taken = (
        Play.update(state=PlayState.RUNNING.value, started_at=now, controller=own)
        .where(Play.id == play_id, Play.state == PlayState.QUEUED)
        .execute()
    )
    return bool(taken)


def still_run_by(own: str, ids: list[int]) -> set[int]:
    """Which of these plays the database says this controller runs."""
    if not ids:
        return set()
    rows = Play.select(Play.id).where(Play.id.in_(ids), Play.state == PlayState.RUNNING, Play.controller == own)
    return {row.id for row in rows}
