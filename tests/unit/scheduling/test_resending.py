"""Orders that nobody answers: whole turns of the scheduler, on a real database, by the test's own clock."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from webfront.database.models import App, AppVersion, Attempt, Job, Node, User
from webfront.jobs.lifecycle import request_cancel
from webfront.scheduling.entries import Key
from webfront.scheduling.given import Input, Output
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.turn import CLAIM_OVERDUE_S, MOST_RESENDS, UNTAKEN_S, Turns
from webfront.settings import Settings
from wire.messages import Cause, Events, Finished, Heartbeat, HeldAttempt, Metrics

NOW = 1000.0
LATER = CLAIM_OVERDUE_S + 1
IDLE = Metrics(cpu_count=4, free_cpu_percent=90, memory_gb=8, free_memory_gb=6, free_memory_percent=75)


class Clockwork:
    """A scheduler whose broker confirms every order at once. Each `turn` sweeps."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.now = NOW
        self.start()

    def start(self) -> None:
        """A scheduler that takes over."""
        self._leadership = Leadership("test")
        self._leadership.take_over(self.now)
        self._turns = Turns(self._settings, self._leadership)

    def turn(self, *, passed: float = 0.0, given: Input | None = None, in_flight: Collection[Key] = ()) -> Output:
        self.now += passed
        output = self._turns.take(given or Input(), self.now, sweep=True, place=True, in_flight=in_flight)
        confirmed = [((order.job, order.attempt), self.now) for _, order in output.orders]
        if confirmed:
            self._turns.take(Input(published=confirmed), self.now, sweep=False, place=False)
        return output

    def beat(self, *held: HeldAttempt) -> Input:
        return Input(beats=[("alpha", Heartbeat(at=self.now, metrics=IDLE, held=held))])


@pytest.fixture
def clockwork(settings: Settings, database: object) -> Clockwork:
    user = User.create(name="ada", password_hash="-", created_at=0)
    app = App.create(name="noop", owner=user, created_at=0)
    manifest = {"name": "noop", "retries": {"node_lost": 0}}
    version = AppVersion.create(app=app, hash="1" * 64, manifest=manifest, size=1, uploaded_at=0)
    Node.create(name="alpha", state="active", connection="local", address="", slots=1, created_at=0)
    Job.create(id="J", app_version=version, user=user, state="queued", submitted_at=0, force_insert=True)
    made = Clockwork(settings)
    made.turn(given=made.beat())
    assert Attempt.get().state == "placed"
    return made


@pytest.mark.parametrize("restarts", [False, True], ids=["one scheduler", "a new scheduler for each"])
def test_an_order_that_is_never_answered_is_sent_ten_times_more_and_then_ends_the_attempt(
    clockwork: Clockwork, restarts: bool
) -> None:
    for _ in range(MOST_RESENDS):
        assert clockwork.turn(passed=CLAIM_OVERDUE_S / 2).orders == []
        if restarts:
            clockwork.start()
        assert [(order.job, order.attempt) for _, order in clockwork.turn(passed=LATER / 2).orders] == [("J", 1)]
    assert Attempt.get().orders == 1 + MOST_RESENDS
    assert clockwork.turn(passed=LATER).orders == []
    job = Job.get_by_id("J")
    assert (job.state, job.cause) == ("failed", "node_lost")
    assert job.message == "alpha is running, and has not answered the order, however often it was sent (11 times)"


def test_nothing_is_given_up_while_its_node_lists_it(clockwork: Clockwork) -> None:
    """The word of its claim is lost, and the app runs for hours."""
    held = HeldAttempt("J", 1)
    for _ in range(MOST_RESENDS + 5):
        assert clockwork.turn(passed=LATER, given=clockwork.beat(held)).orders == []
    assert (Job.get_by_id("J").state, Attempt.get().state) == ("placed", "claimed")
    end = Finished("J", 1, clockwork.now, Cause.OK)
    clockwork.turn(given=Input(events=[("alpha", Events(events=(end,)))]))
    assert Job.get_by_id("J").state == "succeeded"


def test_a_cancelled_job_does_not_wait_for_a_node_that_says_nothing_of_it(clockwork: Clockwork) -> None:
    request_cancel("J", clockwork.now)
    assert [(one.node, one.job, one.attempt) for one in clockwork.turn().cancels] == [("alpha", "J", 1)]
    assert Job.get_by_id("J").state == "placed"
    clockwork.turn(passed=LATER)
    assert (Job.get_by_id("J").state, Job.get_by_id("J").cause) == ("cancelled", "cancelled")


def test_a_clock_that_was_set_back_puts_no_order_off(clockwork: Clockwork) -> None:
    assert [order.job for _, order in clockwork.turn(passed=-500.0).orders] == ["J"]
    assert clockwork.turn().orders == []


@pytest.mark.parametrize(("wanted", "after", "state"), [(True, UNTAKEN_S, "failed"), (False, LATER, "cancelled")])
def test_an_order_that_the_broker_never_confirms_is_not_waited_for_for_ever(
    clockwork: Clockwork, wanted: bool, after: float, state: str
) -> None:
    """Its queue has lost its majority, say, while the connection stands; the scheduler was away before."""
    Attempt.update(published_at=None).execute()
    AppVersion.update(manifest={"name": "noop", "retries": {"rejected": 0}}).execute()
    clockwork.start()
    clockwork.now += 10 * UNTAKEN_S
    if not wanted:
        request_cancel("J", clockwork.now)
    for _ in range(3):
        clockwork.turn(passed=after / 3, in_flight=[("J", 1)])
        assert Job.get_by_id("J").state == "placed"
    clockwork.turn(passed=after / 3 + 1, in_flight=[("J", 1)])
    assert Job.get_by_id("J").state == state
