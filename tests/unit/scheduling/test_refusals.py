"""What nodes refuse for themselves, and jobs that bring nodes down: whole turns of the scheduler, on real databases."""

from __future__ import annotations

import re
from pathlib import Path

from webfront.activity.facts import Kind
from webfront.database.models import App, AppVersion, Attempt, Fact, Job, Node, User
from webfront.fleet.queries import get_node
from webfront.fleet.states import NodeState, change_node
from webfront.jobs.endings import FELLED, MOST_REFUSED
from webfront.jobs.lifecycle import request_cancel
from webfront.scheduling.given import Input, Output
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.turn import Turns
from webfront.settings import Settings
from wire.messages import Cause, Claimed, Event, Events, Finished, Heartbeat, Metrics, Started, Unable
from wire.refusals import REFUSALS, Refusal

IDLE = Metrics(cpu_count=4, free_cpu_percent=90, memory_gb=8, free_memory_gb=6, free_memory_percent=75)
FULL = Unable(Refusal.NO_SPACE, "3 MB are free below /srv", 0.0)


class Fleet:
    """A scheduler, its nodes, and one job."""

    def __init__(self, settings: Settings, *nodes: str, retries: dict[str, int] | None = None) -> None:
        user = User.create(name="ada", password_hash="-", created_at=0)
        app = App.create(name="noop", owner=user, created_at=0)
        manifest = {"name": "noop", "retries": retries or {}}
        version = AppVersion.create(app=app, hash="1" * 64, manifest=manifest, size=1, uploaded_at=0)
        for name in nodes:
            Node.create(name=name, state="active", connection="local", address="", slots=1, created_at=0)
        Job.create(id="J", app_version=version, user=user, state="queued", submitted_at=0, force_insert=True)
        self.nodes = list(nodes)
        self.unable: dict[str, Unable] = {}
        self.now = 1000.0
        self._settings = settings
        self.start()

    def start(self) -> None:
        """A scheduler that takes over."""
        leadership = Leadership("test")
        leadership.take_over(self.now)
        self._turns = Turns(self._settings, leadership)

    def turn(self, *events: Event, node: str = "", passed: float = 1.0, silent: tuple[str, ...] = ()) -> Output:
        """Time passes, this node says this, and every node sends a heartbeat but the silent ones."""
        self.now += passed
        self._turns.leases.tick(self.now)
        beats = [
            (name, Heartbeat(at=self.now, metrics=IDLE, unable=(self.unable[name],) if name in self.unable else ()))
            for name in self.nodes
            if name not in silent
        ]
        given = Input(beats=beats, events=[(node, Events(events=events))] if events else [])
        return self._turns.take(given, self.now, sweep=True, place=True)

    def placed(self) -> tuple[str, int]:
        """Where the job is, and as which attempt."""
        newest = Attempt.select().order_by(Attempt.number.desc()).first()
        assert (Job.get().state, newest.state) == ("placed", "placed"), Job.get().message
        return newest.node, newest.number

    def refuse(self, *, then_unable: bool = True) -> str:
        """The job's node refuses it for itself; which."""
        node, number = self.placed()
        if then_unable:
            self.unable[node] = FULL
        at = self.now + 1
        end = Finished("J", number, at, Cause.REJECTED, "the node has no space left", refusal=Refusal.NO_SPACE)
        self.turn(Claimed("J", number, at), end, node=node)
        return node

    def fell(self) -> str:
        """The job's node goes down under it, and comes back; which."""
        node, number = self.placed()
        self.turn(Claimed("J", number, self.now), Started("J", number, self.now), node=node)
        self.turn(Finished("J", number, self.now, Cause.NODE_LOST, "restarted", node_fell=True), node=node)
        return node


def state(name: str) -> tuple[str, str]:
    row = Node.get(Node.name == name)
    return row.state, row.state_reason


def test_the_page_for_operators_names_every_refusal() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/operating.md").read_text(encoding="utf-8")
    table = page.partition("## A node that cannot")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted(Refusal) == sorted(REFUSALS)


def test_a_refusal_costs_no_retry_excludes_no_node_and_sets_it_aside_until_it_says_that_it_can(
    settings: Settings, database: object
) -> None:
    fleet = Fleet(settings, "alpha", "beta", retries={"rejected": 0, "node_lost": 0})
    fleet.turn()
    first = fleet.refuse()
    second = fleet.placed()[0]
    assert {first, second} == {"alpha", "beta"}
    assert state(first) == ("suspect", "set aside: it has no space left on its disk (3 MB are free below /srv)")
    fleet.refuse()
    job = Job.get()
    assert (job.state, job.attempts, job.excluded_nodes) == ("queued", 2, [])
    assert [(one.cause, one.refusal) for one in Attempt.select()] == 2 * [("rejected", "no_space")]
    fleet.turn()
    assert Job.get().waiting_reason == "no node can take it now: alpha and beta are set aside"
    (refusal,) = get_node(first).refusals
    assert (refusal.kind, refusal.words) == ("no_space", "has no space left on its disk (3 MB are free below /srv)")
    assert 1000 < refusal.since < fleet.now
    assert "Free space" in refusal.mending
    # A new scheduler knows it, before any heartbeat.
    fleet.start()
    fleet.turn(silent=("alpha", "beta"))
    assert {state("alpha")[0], state("beta")[0]} == {"suspect"}
    told = [fact.data for fact in Fact.select().where(Fact.kind == Kind.NODE_STATE, Fact.node == first)]
    assert told[-1]["reason"].startswith("set aside: it has no space left")
    del fleet.unable["beta"]
    fleet.turn()
    assert (state("beta"), get_node("beta").refusals) == (("active", ""), ())
    assert fleet.placed() == ("beta", 3)
    fleet.turn(Finished("J", 3, fleet.now, Cause.OK), node="beta")
    assert (Job.get().state, state("alpha")[0]) == ("succeeded", "suspect")


def test_what_a_node_has_sent_before_it_refused_does_not_take_it_back(settings: Settings, database: object) -> None:
    fleet = Fleet(settings, "alpha")
    fleet.turn()
    fleet.refuse(then_unable=False)  # the heartbeat in the same turn is of the refusal's own time
    assert state("alpha") == ("suspect", "set aside: it has no space left on its disk")
    fleet.turn(passed=0.5)
    assert fleet.placed() == ("alpha", 2)


def test_a_nodes_clock_that_was_set_back_keeps_it_aside_for_a_while_only(settings: Settings, database: object) -> None:
    fleet = Fleet(settings, "alpha")
    fleet.turn()
    _, number = fleet.placed()
    at = fleet.now + 3600
    fleet.turn(Finished("J", number, at, Cause.REJECTED, "", refusal=Refusal.NO_USER), node="alpha")
    fleet.turn(passed=20)
    assert state("alpha") == ("suspect", "set aside: it has no user id that an app can be run as")
    fleet.turn(passed=20)
    assert state("alpha")[0] == "active"


def test_a_node_says_by_itself_that_it_can_take_none_whatever_state_it_was_in(
    settings: Settings, database: object
) -> None:
    fleet = Fleet(settings, "alpha", "beta", "gamma", "delta")
    fleet.turn()
    for name, before in (("beta", "registering"), ("gamma", "dead"), ("delta", "drained")):
        Node.update(state=before).where(Node.name == name).execute()
    fleet.unable = dict.fromkeys(fleet.nodes, FULL)
    fleet.turn()
    assert [state(name)[0] for name in fleet.nodes] == ["suspect", "suspect", "suspect", "drained"]
    # A person may say otherwise; the node's next word stands.
    change_node("delta", NodeState.ACTIVE, "activated by ada")
    fleet.turn()
    assert state("delta")[1].startswith("set aside: it has no space left")
    facts = Fact.select().count()
    for _ in range(5):
        fleet.unable = dict.fromkeys(fleet.nodes, Unable(Refusal.NO_SPACE, f"{fleet.now} MB are free"))
        fleet.turn()
    assert Fact.select().count() == facts, "the same refusal is no news"
    fleet.unable = dict.fromkeys(fleet.nodes, Unable("of_a_later_release", "is too cold"))
    fleet.turn()
    assert state("alpha") == ("suspect", "set aside: it is too cold")
    assert get_node("alpha").refusals[0].mending == ""


def test_one_that_goes_dead_while_it_is_set_aside_is_asked_anew(settings: Settings, database: object) -> None:
    fleet = Fleet(settings, "alpha")
    fleet.unable["alpha"] = FULL
    fleet.turn()
    for _ in range(60):
        fleet.turn(silent=("alpha",))
    assert (state("alpha")[0], get_node("alpha").refusals) == ("dead", ())
    del fleet.unable["alpha"]
    fleet.turn()
    assert state("alpha") == ("active", "")


def test_a_job_that_is_refused_again_and_again_ends_all_the_same(settings: Settings, database: object) -> None:
    """By a node, say, that finds each time that it can, and each time that it cannot."""
    fleet = Fleet(settings, "alpha", retries={"rejected": 0})
    fleet.turn()
    for _ in range(MOST_REFUSED):
        fleet.refuse(then_unable=False)
        fleet.turn()
    fleet.refuse(then_unable=False)
    assert (Job.get().state, Job.get().cause) == ("failed", "rejected")


def test_a_job_that_nobody_wants_any_more_is_not_tried_elsewhere_for_a_refusal(
    settings: Settings, database: object
) -> None:
    fleet = Fleet(settings, "alpha", "beta")
    fleet.turn()
    request_cancel("J", fleet.now)
    fleet.refuse()
    assert Job.get().state == "cancelled"


def test_a_job_under_which_nodes_go_down_one_after_the_other_is_told_as_such(
    settings: Settings, database: object
) -> None:
    fleet = Fleet(settings, "alpha", "beta", "gamma", "delta", retries={"node_lost": 1000})
    fleet.turn()
    felled = [fleet.fell()]
    fleet.refuse()  # in between, and says nothing of the job
    while len(felled) < FELLED:
        felled.append(fleet.fell())
    job = Job.get()
    assert (job.state, job.cause) == ("failed", "node_lost")
    assert f"nodes went down under 3 of its attempts in a row ({', '.join(felled)})" in job.message


def test_a_node_that_falls_silent_while_it_runs_counts_and_one_that_had_not_begun_does_not(
    settings: Settings, database: object
) -> None:
    fleet = Fleet(settings, "alpha", "beta", "gamma", "delta", "epsilon", retries={"node_lost": 1000})
    fleet.turn()
    lost: list[str] = []
    for started in (True, False, True, True, True):
        node, number = fleet.placed()
        said: tuple[Event, ...] = (Claimed("J", number, fleet.now),)
        fleet.turn(*said, *([Started("J", number, fleet.now)] if started else []), node=node, silent=tuple(lost))
        lost.append(node)
        while Attempt.get(Attempt.number == number).state != "ended":
            fleet.turn(silent=tuple(lost))
    assert [bool(one.node_fell) for one in Attempt.select().order_by(Attempt.number)] == [1, 0, 1, 1, 1]
    assert (Job.get().state, Job.get().attempts) == ("failed", 5)
    assert ", ".join(lost[2:]) in Job.get().message


def test_nodes_that_were_asked_to_go_down_speak_against_no_job(settings: Settings, database: object) -> None:
    fleet = Fleet(settings, "alpha", "beta", "gamma", "delta", "epsilon", retries={"node_lost": 4})
    fleet.turn()
    for _ in range(4):
        node, number = fleet.placed()
        words = "the node was shut down while it ran"
        fleet.turn(Started("J", number, fleet.now), Finished("J", number, fleet.now, Cause.NODE_LOST, words), node=node)
    assert Job.get().state == "placed"
