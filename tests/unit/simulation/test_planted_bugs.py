"""The simulator finds what it is there to find: faults that are planted in the real code, each within some seeds."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from support.simulation.history import play, prepare_database
from support.simulation.network import Weather
from support.simulation.plan import Break, Fault, Plan, Submission
from support.simulation.platform import _PATIENCE_S

from node_scripts.ability import Ability
from node_scripts.agent import Agent
from node_scripts.attempts import Attempts
from node_scripts.journal import Journal
from webfront.jobs import endings, lifecycle
from webfront.jobs.end_facts import AttemptEnd, JobEnd, record_ends
from webfront.jobs.states import AttemptState, JobState
from webfront.scheduling import events, placing, turn
from webfront.scheduling.inbox import Inbox
from webfront.scheduling.joblog import Coverage
from webfront.scheduling.judge import NodeJudge
from webfront.scheduling.leases import Leases
from webfront.scheduling.takeover import Takeover

Patch = pytest.MonkeyPatch


@dataclasses.dataclass(frozen=True)
class Planted:
    """A fault, and by what it is found."""

    plant: Callable[[Patch], None]
    words: str
    within: int = 120
    """How many seeds it takes at most."""
    plan: Plan | None = None
    """What happens, but for the seed; None where that says all of it."""


def lost_acknowledgement(patch: Patch) -> None:
    async def claim(agent: Any) -> None:
        while agent._arrived:
            batch, agent._arrived = agent._arrived, []
            await agent._attempts.claim([order for _, order in batch])

    patch.setattr(Agent, "_claim", claim)


def acknowledged_before_the_journal(patch: Patch) -> None:
    claim = Agent._claim

    async def hasty(agent: Any) -> None:
        if agent._arrived:
            agent._broker.ack(agent._arrived[-1][0], multiple=True)
        await claim(agent)

    patch.setattr(Agent, "_claim", hasty)


def events_that_are_passed_over(patch: Patch) -> None:
    sort = Inbox.sort
    patch.setattr(Inbox, "sort", lambda inbox, items, given: sort(inbox, items[:1], given))


def ignored_fencing_token(patch: Patch) -> None:
    patch.setattr(events, "_is_of", lambda attempt, node, number: attempt.state is not AttemptState.ENDED)
    patch.setattr(lifecycle, "_counts", lambda job, attempt, node: attempt.state is not AttemptState.ENDED)


def outcome_committed_again(patch: Patch) -> None:
    patch.setattr(events, "_is_of", lambda attempt, node, number: (attempt.node, attempt.number) == (node, number))
    patch.setattr(lifecycle, "_counts", lambda job, attempt, node: attempt.node == node)
    patch.setattr(lifecycle, "JOB_TRANSITIONS", dict.fromkeys(JobState, frozenset(JobState)))
    patch.setattr(lifecycle, "ATTEMPT_TRANSITIONS", dict.fromkeys(AttemptState, frozenset(AttemptState)))


def end_recorded_twice(patch: Patch) -> None:
    def twice(attempts: Sequence[AttemptEnd], jobs: Sequence[JobEnd]) -> None:
        record_ends(attempts, jobs)
        record_ends([], jobs)

    patch.setattr("webfront.scheduling.ledger.record_ends", twice)


def lease_that_never_expires(patch: Patch) -> None:
    patch.setattr(Leases, "silence", lambda leases, node: 0.0)


def lost_claim_that_nobody_misses(patch: Patch) -> None:
    patch.setattr(Leases, "doubt", lambda leases, held, beat_at, live: frozenset())


def order_sent_again_and_again(patch: Patch) -> None:
    patch.setattr(turn, "CLAIM_OVERDUE_S", 0.0)


def order_that_is_never_sent_again(patch: Patch) -> None:
    patch.setattr(turn.Turns, "_unclaimed", lambda turns, now, in_flight: [])


def exclusion_that_is_never_lifted(patch: Patch) -> None:
    patch.setattr(placing, "_lift_exclusions", lambda *given: None)


def cancel_that_is_forgotten(patch: Patch) -> None:
    patch.setattr(Attempts, "cancel", lambda attempts, job, attempt: None)


def end_that_stays_in_the_journal(patch: Patch) -> None:
    patch.setattr(Journal, "end", lambda journal, keys: None)


def refusal_that_costs_a_retry(patch: Patch) -> None:
    for room in (endings, lifecycle):
        patch.setattr(room, "never_ran", lambda ending, tried: False)


def node_that_is_never_probed_again(patch: Patch) -> None:
    async def rests(ability: Any) -> None:
        await asyncio.Event().wait()

    patch.setattr(Ability, "run", rests)


def node_that_is_never_taken_back(patch: Patch) -> None:
    patch.setattr(NodeJudge, "_can_again", lambda judge, node: None)


def line_that_stands_twice(patch: Patch) -> None:
    patch.setattr(Coverage, "take", lambda coverage, attempt, first, count: [(first, first + count - 1)])


def stall_that_is_taken_for_deaths(patch: Patch) -> None:
    def tick(leases: Any, monotonic: float, *, blocked: bool = False) -> None:
        if leases._ticked is not None and not blocked:
            leases._clock += monotonic - leases._ticked
        leases._ticked = monotonic

    patch.setattr(Leases, "tick", tick)


def restart_of_the_broker_that_is_taken_for_deaths(patch: Patch) -> None:
    reset = Leases.reset

    def as_if_nothing_were(leases: Any, *, same_broker: bool = False) -> None:
        heard, ticked = dict(leases._heard), leases._ticked
        reset(leases, same_broker=True)
        leases._heard, leases._ticked = heard, ticked

    patch.setattr(Leases, "reset", as_if_nothing_were)
    stall_that_is_taken_for_deaths(patch)


def alarm_that_is_taken_for_deaths(patch: Patch) -> None:
    tick = Leases.tick
    patch.setattr(Leases, "tick", lambda leases, monotonic, *, blocked=False: tick(leases, monotonic))


def former_leader_that_keeps_what_comes(patch: Patch) -> None:
    patch.setattr(Takeover, "evict", lambda takeover, former: None)


def seat_of_one_that_is_stopped(patch: Patch) -> None:
    patch.setitem(_PATIENCE_S, "seat", _PATIENCE_S["others"])


SCHEDULER: Final = 1
"""The place of one of them among the processes of such a history."""


def happens(
    kind: Break,
    *,
    to: int = 0,
    schedulers: int = 2,
    at: float = 5.0,
    seconds: float = 20.0,
    fuse: int = 0,
    job: float = 1.0,
) -> Plan:
    """One thing alone, while one node has a job, which is submitted at `job`."""
    fault = Fault(at=at, kind=kind, where=to, seconds=seconds, fuse=fuse)
    jobs = (Submission("J1", at=job, version=1, cancel_at=None),)
    return Plan(0, slots=(1,), schedulers=schedulers, weather=Weather(), jobs=jobs, faults=(fault,))


STALL: Final = happens(Break.CONTROLLER_STALLS, schedulers=1)
TAKEOVER: Final = happens(Break.STOPPED, to=SCHEDULER)
RESTART: Final = happens(Break.BROKER_RESTARTS)
ALARM: Final = happens(Break.BROKER_BLOCKS)
UNCLAIMED: Final = happens(Break.STOPPED, schedulers=1, at=5.9, seconds=7.0, job=6.0)
"""Its agent stands still when the order comes, for less than it takes to be suspected."""
UNSENT: Final = happens(Break.SCHEDULER_DIES, schedulers=1, at=0.5, fuse=1)
"""The scheduler dies when it has placed the job and sent no order."""


PLANTED: Final = [
    Planted(lost_acknowledgement, "orders wait for", 5),
    Planted(acknowledged_before_the_journal, "has not journalled it"),
    Planted(events_that_are_passed_over, "has not written it"),
    Planted(ignored_fencing_token, "and on n. it came to"),
    Planted(outcome_committed_again, "changed after its end"),
    Planted(end_recorded_twice, "is recorded 2 times", 5),
    Planted(lease_that_never_expires, "has not ended"),
    Planted(lost_claim_that_nobody_misses, "has not ended"),
    Planted(order_sent_again_and_again, "was sent .+ times", 20, UNCLAIMED),
    Planted(order_that_is_never_sent_again, "has not ended", 20, UNSENT),
    Planted(exclusion_that_is_never_lifted, "has not ended"),
    Planted(cancel_that_is_forgotten, "has not ended"),
    Planted(end_that_stays_in_the_journal, "holds", 5),
    Planted(refusal_that_costs_a_retry, "has refused for itself"),
    Planted(node_that_is_never_probed_again, "has not ended|are set aside"),
    Planted(node_that_is_never_taken_back, "has not ended|are set aside"),
    Planted(line_that_stands_twice, "log_chunk"),
    Planted(stall_that_is_taken_for_deaths, "is taken for dead", 20, STALL),
    Planted(restart_of_the_broker_that_is_taken_for_deaths, "is taken for dead", 20, RESTART),
    Planted(alarm_that_is_taken_for_deaths, "is taken for dead", 20, ALARM),
    Planted(former_leader_that_keeps_what_comes, "hears nothing", 20, TAKEOVER),
    Planted(seat_of_one_that_is_stopped, "leads yet", 20, TAKEOVER),
]


pytestmark = [
    # The checker reads what SQLite alone can tell at once.
    pytest.mark.stores("sqlite"),
    # A process that dies has begun what it never comes to.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]


@pytest.fixture(autouse=True)
def platform(hasty: None) -> None:
    prepare_database()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.plant.__name__)
def test_a_planted_fault_is_found(planted: Planted, monkeypatch: Patch, tmp_path: Path) -> None:
    planted.plant(monkeypatch)
    seen: list[str] = []
    for seed in range(planted.within):
        found = play(seed, tmp_path / "history", plan=_of_seed(planted.plan, seed)).found
        seen += found
        if any(re.search(planted.words, words) for words in found):
            return
    pytest.fail(f"not found by {planted.words!r} in {planted.within} histories; found was {seen[:5]}")


def _of_seed(plan: Plan | None, seed: int) -> Plan | None:
    return None if plan is None else dataclasses.replace(plan, seed=seed)


ALONE: Final = {
    "stall": STALL,
    "takeover": TAKEOVER,
    "restart": RESTART,
    "alarm": ALARM,
    "unclaimed": UNCLAIMED,
    "unsent": UNSENT,
}


@pytest.mark.parametrize("plan", ALONE.values(), ids=ALONE.keys())
def test_without_a_planted_fault_nothing_is_found(plan: Plan, tmp_path: Path) -> None:
    for seed in range(20):
        assert play(seed, tmp_path / "history", plan=_of_seed(plan, seed)).found == []
