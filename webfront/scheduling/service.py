"""What may be asked of placements without making one: why a job is where it is, and where a job would go.

Both read rows, and decide by the very functions by which the scheduler does: nothing is written, nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from webfront.accounts.views import Account
from webfront.apps.queries import find_version
from webfront.clock import Clock, system_clock
from webfront.database.rows import value
from webfront.errors import InvalidInput
from webfront.jobs.queries import find_job, get_job
from webfront.jobs.states import JobState
from webfront.scheduling.answers import NodeAnswer, Work, answers
from webfront.scheduling.entries import Live
from webfront.scheduling.explaining import explain
from webfront.scheduling.explanation import Explanation, Facts
from webfront.scheduling.looks import last_look
from webfront.scheduling.mirror import Mirror
from webfront.scheduling.placement import Placement, decide
from webfront.scheduling.versions import Versions
from webfront.settings import Settings

_MOST_COUNTED: Final = 1000
_BEFORE: Final = (
    "SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE state = ? AND (priority > ? OR (priority = ? AND id < ?)) "
    "LIMIT ?) waiting"
)
_LAST_ID: Final = "Z" * 26
"""After every job's id: whoever comes now is behind those that wait already."""


class Plan(msgspec.Struct, frozen=True):
    """Where a job would go if it were submitted now."""

    app: str
    version: str
    placement: Placement
    """The decision, with the ranking and the parts of the scores."""
    excluded: tuple[NodeAnswer, ...]
    """The nodes that could not take it now, each with why."""
    before: int
    """How many jobs wait that would be placed before it; 1,000 stands for that many and more."""


class PlacementService:
    def __init__(self, settings: Settings, broker_connected: Callable[[], bool], clock: Clock = system_clock) -> None:
        self._settings = settings
        self._broker_connected = broker_connected
        self._clock = clock

    def explain(self, account: Account, job_id: str) -> Explanation:
        """Why the job is where it is. NotFound."""
        row, job = find_job(account, job_id), get_job(account, job_id)
        versions = Versions()
        mirror = self._mirror(versions, with_nodes=not job.is_over)
        version = versions[row.app_version_id]
        look = last_look()
        newest = mirror.live.get((job.id, job.attempts[-1].number)) if job.attempts else None
        return explain(
            Facts(
                now=self._clock(),
                job=job,
                demand=msgspec.structs.replace(version.demand, excluded=tuple(row.excluded_nodes)),
                timeout_s=version.resources.timeout_s,
                nodes=mirror.nodes,
                views=mirror.views(),
                work=_work(mirror, versions),
                published_at=newest.published_at if newest is not None else None,
                looked_at=None if look is None else look.at,
                connected=self._broker_connected(),
                suspect_s=self._settings.heartbeat_suspect_s,
                dead_s=self._settings.heartbeat_dead_s,
                before=_before(job.priority, job.id) if job.state is JobState.QUEUED else 0,
                trouble="" if look is None else look.trouble,
                trouble_at=None if look is None else look.trouble_at,
            )
        )

    def plan(self, app: str, version: str | None = None) -> Plan:
        """Where a job of this app would go; whatever its input and parameters. InvalidInput, NotFound."""
        if not app:
            raise InvalidInput("Say which app, by its name: `app=NAME`.")
        found = find_version(app, version)
        versions = Versions()
        mirror = self._mirror(versions)
        demand, views = versions[found.id].demand, mirror.views()
        said = answers(demand, mirror.nodes, views, _work(mirror, versions))
        return Plan(
            app=found.app,
            version=found.hash,
            placement=decide(demand, list(views.values())),
            excluded=tuple(one for one in said if not one.fits),
            before=_before(0, _LAST_ID),
        )

    def trouble(self) -> str:
        """What keeps the broker from working, in words, as the scheduler has last seen it; empty when nothing does."""
        look = last_look()
        return "" if look is None else look.trouble

    def _mirror(self, versions: Versions, *, with_nodes: bool = True) -> Mirror:
        """The nodes and live attempts as the rows have them now; what the scheduler itself knows besides is in them."""
        mirror = Mirror(self._settings.score, self._settings.node_backlog, versions)
        if with_nodes:
            mirror.load()
        return mirror


def _work(mirror: Mirror, versions: Versions) -> dict[str, list[Work]]:
    work: dict[str, list[Work]] = {}
    for one in mirror.live.values():
        work.setdefault(one.node, []).append(Work(one.placed_at, _ends_by(one, versions)))
    return work


def _ends_by(one: Live, versions: Versions) -> float | None:
    return None if one.started_at is None else one.started_at + versions[one.app_version_id].resources.timeout_s


def _before(priority: int, job_id: str) -> int:
    return int(value(_BEFORE, JobState.QUEUED, priority, priority, job_id, _MOST_COUNTED))
