"""A second kind of work, which begins anew after each end, through the scheduler's own book of events.

It is a line in the table of rules and a word in a manifest; nothing else knows of it.
"""

from __future__ import annotations

import pytest

from webfront.apps.manifest import KINDS
from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion, Attempt, Job, Node, User
from webfront.jobs import endings
from webfront.jobs.endings import After, Anew, Ending, Tried
from webfront.jobs.lifecycle import request_cancel
from webfront.scheduling.events import Conclusion, EventBook
from webfront.scheduling.joblog import Coverage
from webfront.scheduling.judge import NodeJudge
from webfront.scheduling.leases import Leases
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.mirror import Mirror
from webfront.scheduling.placing import place_queued
from webfront.scheduling.versions import Versions
from webfront.settings import ScoreSettings
from wire.messages import Cause, Claimed, Event, Events, Finished, LogLines, Started

METRICS = {"cpu_count": 4, "free_cpu_percent": 90, "memory_gb": 8, "free_memory_gb": 6, "free_memory_percent": 75}


def again(ending: Ending, tried: Tried) -> After:
    return Anew(f"attempt {tried.number} ended ({ending.cause}); it begins anew")


class Book:
    """The scheduler's memory and its transactions, without the broker."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.versions = Versions()
        self.mirror = Mirror(ScoreSettings(), 0, self.versions)
        leases = Leases()
        judge = NodeJudge(self.mirror, leases, suspect_s=15, dead_s=45, agentless_s=180)
        self.book = EventBook(self.mirror, judge, leases, Coverage(), self.versions)
        with transaction():
            self.mirror.load()

    def place(self) -> dict[str, str]:
        """Place what is queued. Each job's node."""
        self.now += 1
        ledger = Ledger(self.versions)
        with transaction():
            place_queued(ledger, self.mirror, self.versions, self.now)
            ledger.flush()
        return {order.job: order.node for order in ledger.orders}

    def say(self, node: str, *events: Event, lost: tuple[str, int] | None = None) -> None:
        """A node says this; or the scheduler itself concludes that it lost an attempt."""
        self.now += 1
        ledger = Ledger(self.versions)
        concluded = [] if lost is None else [Conclusion(*lost, Cause.NODE_LOST, "it is silent")]
        with transaction():
            self.book.apply(ledger, [(node, Events(events=events))], concluded, self.now)
            ledger.flush()
            self.mirror.flush()


@pytest.fixture
def book(database: object, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setitem(endings.RULES, "again", again)
    user = User.create(name="ada", password_hash="-", created_at=0)
    for kind in ("again", "job", "of a later release"):
        app = App.create(name=kind.split()[0], owner=user, created_at=0)
        manifest = {"name": app.name, "kind": kind}
        version = AppVersion.create(app=app, hash=kind[0] * 64, manifest=manifest, size=1, uploaded_at=0)
        Job.create(id=kind, app_version=version, user=user, state="queued", submitted_at=0, force_insert=True)
    for name in ("alpha", "beta"):
        Node.create(
            name=name, state="active", connection="local", address="", slots=4, created_at=0, metrics=METRICS
        )  # fmt: skip
    return Book()


def run(job: str, attempt: int, cause: Cause) -> list[Event]:
    return [
        Claimed(job, attempt, 0),
        Started(job, attempt, 0),
        LogLines(job, attempt, 0, 1, (f"attempt {attempt}",)),
        Finished(job, attempt, 0, cause, log_lines=1),
    ]


def causes(job: str) -> list[str | None]:
    return [one.cause for one in Attempt.select().where(Attempt.job == job).order_by(Attempt.number)]


def test_it_begins_anew_after_each_end_until_it_is_cancelled(book: Book) -> None:
    for number, cause in enumerate((Cause.OK, Cause.APP_ERROR, Cause.OK, Cause.TIMEOUT, Cause.REJECTED), 1):
        node = book.place()["again"]
        book.say(node, *run("again", number, cause))
        row = Job.get_by_id("again")
        assert (row.state, row.attempts, row.cause, row.finished_at) == ("queued", number, None, None)
        assert row.waiting_reason == f"attempt {number} ended ({cause}); it begins anew"
        # Also the node that rejected it may take it again.
        assert row.excluded_nodes == []
    node = book.place()["again"]
    book.say(node, Claimed("again", 6, 0), lost=("again", 6))
    assert (Job.get_by_id("again").state, Job.get_by_id("again").excluded_nodes) == ("queued", [])
    node = book.place()["again"]
    # Of what is over nothing counts.
    book.say(node, *run("again", 6, Cause.OK), *run("again", 1, Cause.OK), *run("again", 7, Cause.OK)[:3])
    assert (Job.get_by_id("again").state, Job.get_by_id("again").attempts) == ("running", 7)
    assert request_cancel("again", book.now)
    book.say(node, Finished("again", 7, 0, Cause.CANCELLED))
    assert (Job.get_by_id("again").state, Job.get_by_id("again").cause) == ("cancelled", "cancelled")
    assert book.place() == {}
    assert causes("again") == ["ok", "app_error", "ok", "timeout", "rejected", "node_lost", "cancelled"]


def test_a_kind_beside_it_and_one_that_nobody_knows_end_once(book: Book) -> None:
    nodes = book.place()
    for job in ("job", "of a later release"):
        book.say(nodes[job], *run(job, 1, Cause.OK))
        assert (Job.get_by_id(job).state, Job.get_by_id(job).cause) == ("succeeded", "ok")
        assert causes(job) == ["ok"]


def test_each_kind_that_a_manifest_may_name_has_its_rule() -> None:
    assert set(KINDS) == set(endings.RULES)
