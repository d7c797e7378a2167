"""Who is given up, and when: whole turns of the scheduler, on a real database, by the test's own clock."""

from __future__ import annotations

import pytest

from webfront.database.models import App, AppVersion, Attempt, Job, Look, Node, User
from webfront.scheduling.given import Input, Output
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.turn import Turns
from webfront.settings import Settings
from wire.messages import Claimed, Events, Heartbeat, HeldAttempt, Metrics

NOW = 1_000_000.0
IDLE = Metrics(cpu_count=4, free_cpu_percent=90, memory_gb=8, free_memory_gb=6, free_memory_percent=75)


class Clockwork:
    """A scheduler, and the seconds: `pass_time` has one turn a second, with a sweep."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.now = NOW
        self.blocked = ""
        self.connected: dict[str, bool] = {}
        self.start()

    def start(self, *, same_broker: bool = True) -> None:
        leadership = Leadership("test")
        leadership.take_over(self.now)
        self.turns = Turns(self._settings, leadership)
        self.turns.leases.reset(same_broker=same_broker)

    def turn(self, *beats: Heartbeat, node: str = "alpha", events: Events | None = None) -> Output:
        self.turns.leases.tick(self.now, blocked=bool(self.blocked))
        given = Input(
            beats=[(node, beat) for beat in beats],
            events=[(node, events)] if events else [],
            connected=self.connected,
            blocked=self.blocked,
        )
        return self.turns.take(given, self.now, sweep=True, place=True)

    def pass_time(self, seconds: int, *beating: str) -> None:
        for _ in range(seconds):
            self.now += 1
            for node in beating:
                self.turn(self.beat(), node=node)
            self.turn()

    def beat(
        self, *held: HeldAttempt, metrics: Metrics = IDLE, back_in_s: float = 0.0, lost: bool = False
    ) -> Heartbeat:
        return Heartbeat(at=self.now, metrics=metrics, held=held, back_in_s=back_in_s, out_of_reach=lost)


def state(name: str = "alpha") -> str:
    return str(Node.get(Node.name == name).state)


@pytest.fixture
def version(database: object) -> AppVersion:
    user = User.create(name="ada", password_hash="-", created_at=0)
    app = App.create(name="noop", owner=user, created_at=0)
    manifest = {"name": "noop", "retries": {"node_lost": 0}}
    return AppVersion.create(app=app, hash="1" * 64, manifest=manifest, size=1, uploaded_at=0)


def node(name: str, **more: object) -> None:
    Node.create(name=name, state="active", connection="local", address="", slots=1, created_at=0, **more)


@pytest.fixture
def clockwork(settings: Settings, version: AppVersion) -> Clockwork:
    node("alpha")
    made = Clockwork(settings)
    made.turn(made.beat())
    made.pass_time(2)  # a scheduler first listens
    made.turn(made.beat())
    return made


def test_a_silent_node_is_suspect_and_then_dead_within_fifteen_seconds(clockwork: Clockwork) -> None:
    clockwork.pass_time(7)
    assert state() == "active"
    clockwork.pass_time(1)
    assert state() == "suspect"
    clockwork.pass_time(5)
    assert state() == "suspect"
    clockwork.pass_time(1)
    assert state() == "dead"
    clockwork.turn(clockwork.beat())
    assert state() == "active"


def test_a_scheduler_that_restarts_every_eleven_seconds_gives_it_up_as_soon_as_it_has_listened_as_long(
    clockwork: Clockwork,
) -> None:
    listened = 0
    while state() != "dead":
        clockwork.start()
        clockwork.pass_time(9)
        clockwork.now += 2
        listened += 9
    assert listened <= 27


def test_a_scheduler_that_finds_another_broker_gives_each_node_its_full_time(clockwork: Clockwork) -> None:
    clockwork.pass_time(13)
    clockwork.start(same_broker=False)
    clockwork.pass_time(10 + 13)
    assert state() == "suspect"
    clockwork.pass_time(2)
    assert state() == "dead"


def test_a_node_whose_connection_closed_gets_nothing_and_is_given_up_when_it_is_not_back(clockwork: Clockwork) -> None:
    clockwork.connected = {"alpha": True}
    clockwork.pass_time(4)
    clockwork.connected = {"alpha": False}
    clockwork.pass_time(1)
    assert (state(), Node.get().state_reason) == ("suspect", "its connection to the broker is closed")
    clockwork.turn(clockwork.beat())
    assert state() == "suspect", "that was sent before it closed"
    clockwork.pass_time(14)
    assert state() == "suspect"
    clockwork.pass_time(2)
    assert state() == "dead"


def test_one_that_is_back_in_time_is_taken_back_at_once(clockwork: Clockwork) -> None:
    clockwork.connected = {"alpha": False}
    clockwork.pass_time(10)
    clockwork.connected = {"alpha": True}
    clockwork.pass_time(1)
    assert state() == "active"


@pytest.mark.parametrize("restarts", [False, True], ids=["one scheduler", "two schedulers"])
def test_an_agent_that_says_when_it_is_back_is_waited_for(clockwork: Clockwork, restarts: bool) -> None:
    clockwork.turn(clockwork.beat(back_in_s=60.0))
    assert (state(), Node.get().state_reason) == ("suspect", "its agent has stopped, and is to be back within 60 s")
    clockwork.connected = {"alpha": False}
    clockwork.pass_time(30)
    if restarts:
        clockwork.start()
    clockwork.pass_time(25)
    assert state() == "suspect"
    clockwork.pass_time(10)
    assert state() == "dead"


def test_one_that_says_an_absurd_time_is_waited_for_an_hour(clockwork: Clockwork) -> None:
    clockwork.turn(clockwork.beat(back_in_s=1e300))
    assert Node.get().awaited_s == 3600.0


def test_a_machine_without_an_agent_is_given_up_when_it_is_out_of_reach_and_not_with_its_measurer(
    clockwork: Clockwork,
) -> None:
    def measured(*, lost: bool = False) -> Heartbeat:
        return clockwork.beat(metrics=Metrics(4, 90, 8, 6, 75, measured_at=NOW), lost=lost)

    clockwork.turn(measured())
    clockwork.connected = {"alpha": False}
    clockwork.pass_time(170)
    assert state() == "suspect"
    clockwork.connected = {"alpha": True}
    clockwork.pass_time(1)
    clockwork.turn(measured())
    assert state() == "active"
    clockwork.turn(measured(lost=True))
    clockwork.pass_time(1)
    assert (state(), Node.get().state_reason) == ("dead", "it could not be measured several times in a row")
    clockwork.turn(measured())
    assert state() == "active"


def submit(version: AppVersion) -> None:
    Job.create(id="J", app_version=version, user=User.get(), state="queued", submitted_at=0, force_insert=True)


def test_what_it_has_not_claimed_goes_elsewhere_at_no_retry(clockwork: Clockwork, version: AppVersion) -> None:
    submit(version)
    clockwork.turn()
    assert Attempt.get().node == "alpha"
    clockwork.connected = {"alpha": False}
    clockwork.pass_time(1)
    assert Attempt.get().state == "placed", "there is no other node to have it"
    node("beta")
    clockwork.pass_time(1, "beta")
    found = [(one.node, one.cause) for one in Attempt.select().order_by(Attempt.number)]
    assert found == [("alpha", "cancelled"), ("beta", None)]
    assert Job.get().excluded_nodes == []


def test_what_it_has_claimed_stays_its_own_until_it_is_given_up(clockwork: Clockwork, version: AppVersion) -> None:
    submit(version)
    clockwork.turn()
    clockwork.turn(events=Events(events=(Claimed("J", 1, clockwork.now),)))
    node("beta")
    clockwork.connected = {"alpha": False}
    clockwork.pass_time(10, "beta")
    assert Attempt.get().state == "claimed"
    clockwork.pass_time(10, "beta")
    assert (Attempt.get().cause, Job.get().state) == ("node_lost", "failed")


def test_a_broker_in_need_is_told_of_and_nothing_is_placed_or_given_up_meanwhile(
    clockwork: Clockwork, version: AppVersion
) -> None:
    clockwork.blocked = "low on disk"
    submit(version)
    clockwork.pass_time(60)
    assert (state(), Job.get().state) == ("active", "queued")
    assert [(one.trouble, one.trouble_at) for one in Look.select()] == [
        ("the broker blocks: its disk is full", NOW + 3)
    ]
    clockwork.blocked = ""
    clockwork.pass_time(1)
    assert (state(), Job.get().state) == ("active", "placed")
    assert [(one.trouble, one.trouble_at) for one in Look.select()] == [("", None)]
