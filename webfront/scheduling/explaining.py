"""Why a job is where it is: what it waits for, until when at the latest, and what happens then. Pure functions.

`SITUATIONS` is a table, and the first row that holds is the job's. No row is without a sentence and without what ends
it; where nothing but time ends it, `until` says when. What the nodes say is asked of the same table of constraints and
the same decision as a placement (`constraints`, `placement`): there is no second opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from webfront.fleet.states import NodeState
from webfront.jobs.states import AttemptState, JobState
from webfront.scheduling.explanation import Explanation, Facts, Situation, as_sentence, ended_sentence
from webfront.scheduling.reach import all_set_aside, aside_words, could_be_taken
from webfront.scheduling.turn import CLAIM_OVERDUE_S

DECISION_OVERDUE_S: Final = 5.0
"""A scheduler at work decides about what waits each second. One that has not for so long is away."""


class Rule(NamedTuple):
    """A row of `SITUATIONS`."""

    situation: Situation
    holds: Callable[[Facts], bool]
    sentence: Callable[[Facts], str]
    waits_for: str
    since: Callable[[Facts], float | None]
    until: Callable[[Facts], float | None]
    then: Callable[[Facts], str]


def _is_queued(facts: Facts) -> bool:
    return facts.job.state is JobState.QUEUED


def _is(state: AttemptState) -> Callable[[Facts], bool]:
    return lambda facts: facts.attempt.state is state


def _queued_since(facts: Facts) -> float | None:
    return facts.queued_since


def _never(facts: Facts) -> None:
    return None


def _is_undecided(facts: Facts) -> bool:
    return _is_queued(facts) and facts.now - _last_word(facts) > DECISION_OVERDUE_S


def _last_word(facts: Facts) -> float:
    return max(facts.queued_since, facts.looked_at or 0.0)


def _is_silent(facts: Facts) -> bool:
    return facts.node is not None and facts.node.state in (NodeState.SUSPECT, NodeState.DEAD) and _overdue(facts, 0)


def _overdue(facts: Facts, more_s: float) -> bool:
    return facts.now - facts.heard_at() > facts.suspect_s + more_s


def _is_behind(facts: Facts) -> bool:
    """Claimed, nothing told, and others have all the slots: so it is the node's backlog."""
    here = facts.work.get(facts.attempt.node, ())
    earlier = [one for one in here if one.ends_by is not None or one.placed_at < facts.attempt.placed_at]
    return len(earlier) >= facts.slots


def _behind_until(facts: Facts) -> float | None:
    known = [one.ends_by for one in facts.work.get(facts.attempt.node, ()) if one.ends_by is not None]
    return min(known, default=None) if len(known) >= facts.slots else None


_REST: Final = "if the node falls silent, its attempt is given up and the job is tried on another one"


SITUATIONS: Final = (
    Rule(
        Situation.ENDED,
        lambda facts: facts.job.is_over,
        lambda facts: ended_sentence(facts.job),
        "",
        lambda facts: facts.job.finished_at,
        _never,
        lambda facts: "nothing more happens to it",
    ),
    Rule(
        Situation.BLOCKED,
        lambda facts: facts.connected and bool(facts.trouble),
        lambda facts: as_sentence(facts.trouble),
        "the broker to take messages again",
        lambda facts: facts.trouble_at,
        _never,
        lambda facts: (
            "nothing is lost: what runs goes on, no node is given up, and all that waits is told then; free what the "
            "broker lacks (docs/operating.md)"
        ),
    ),
    Rule(
        Situation.UNDECIDED,
        _is_undecided,
        lambda facts: (
            "No scheduler decides at present: "
            + (
                "none is at work, or it cannot use the broker or the database."
                if facts.connected
                else "the broker cannot be reached."
            )
        ),
        "a scheduler's next decision",
        _last_word,
        _never,
        lambda facts: (
            "nothing is lost: it is placed when a scheduler is at work again. One that stands by takes over by itself; "
            "where there is none, start it (docs/operating.md)"
        ),
    ),
    Rule(
        Situation.NO_NODE,
        lambda facts: _is_queued(facts) and not facts.views,
        lambda facts: "No node is registered.",
        "a node",
        _queued_since,
        _never,
        lambda facts: "it is placed within a second of a node becoming active; register one",
    ),
    Rule(
        Situation.NOWHERE,
        lambda facts: _is_queued(facts) and not could_be_taken(facts),
        lambda facts: "No node there is could ever take it, however idle.",
        "a node that has what it asks for",
        _queued_since,
        _never,
        lambda facts: (
            "it is placed within a second of one becoming active: register such a node, change the labels of one, "
            "or cancel the job and ask for less in the app's manifest"
        ),
    ),
    Rule(
        Situation.SET_ASIDE,
        lambda facts: _is_queued(facts) and all_set_aside(facts),
        aside_words,
        "a node that is set aside to be able again",
        _queued_since,
        _never,
        lambda facts: (
            "a node looks by itself, every five minutes at least, whether it can again, and the job is placed within "
            "seconds of that; the node's page says what mends it"
        ),
    ),
    Rule(
        Situation.NO_ROOM,
        lambda facts: _is_queued(facts) and facts.placement.node is None,
        lambda facts: as_sentence(facts.placement.sentence),
        "a node that can take it",
        _queued_since,
        Facts.first_free,
        lambda facts: (
            "a slot is free then at the latest, since the job in it is ended at its time limit"
            if facts.first_free() is not None
            else "it is placed within a second of a node being able to take it"
        ),
    ),
    Rule(
        Situation.NEXT,
        _is_queued,
        lambda facts: (
            f"{facts.placement.node} can take it, and it is placed as soon as the jobs before it are."
            if facts.before
            else f"{facts.placement.node} can take it, and the next decision places it there."
        ),
        "the scheduler's next decision",
        _queued_since,
        lambda facts: _last_word(facts) + DECISION_OVERDUE_S,
        lambda facts: "what keeps the scheduler from deciding is told here",
    ),
    Rule(
        Situation.UNHEARD,
        lambda facts: (
            facts.node is not None and facts.node.state is NodeState.ACTIVE and _overdue(facts, DECISION_OVERDUE_S)
        ),
        lambda facts: f"No scheduler hears {facts.attempt.node} or any other node at present.",
        "a scheduler",
        Facts.heard_at,
        _never,
        lambda facts: "nothing is lost: the node goes on with it, and what it has to say is heard then",
    ),
    Rule(
        Situation.SILENT,
        _is_silent,
        lambda facts: f"{facts.attempt.node} has not been heard for a while.",
        "a word of its node",
        Facts.heard_at,
        lambda facts: facts.heard_at() + facts.dead_s,
        lambda facts: "its attempt is given up, and the job is tried on another node",
    ),
    Rule(
        Situation.STOPPING,
        lambda facts: facts.job.cancel_requested,
        lambda facts: f"It is being cancelled: {facts.attempt.node} ends it.",
        "its node to end it",
        _never,
        _never,
        lambda facts: "the node is told each second; if it falls silent, the job is cancelled without it",
    ),
    Rule(
        Situation.UNSENT,
        lambda facts: facts.attempt.state is AttemptState.PLACED and facts.published_at is None,
        lambda facts: f"It is placed on {facts.attempt.node}, and the broker has not confirmed the order yet.",
        "the broker",
        lambda facts: facts.attempt.placed_at,
        _never,
        lambda facts: "the order is sent again until the broker confirms it",
    ),
    Rule(
        Situation.UNCLAIMED,
        _is(AttemptState.PLACED),
        lambda facts: f"It is on its way to {facts.attempt.node}, which has not claimed it yet.",
        "its node to claim it",
        lambda facts: facts.published_at,
        lambda facts: (facts.published_at or 0.0) + CLAIM_OVERDUE_S,
        lambda facts: f"the order is sent once more; {_REST}",
    ),
    Rule(
        Situation.STORING,
        lambda facts: facts.has_stage and facts.attempt.state is AttemptState.RUNNING,
        lambda facts: f"Its process has ended, and {facts.attempt.node} is {facts.stage.what}.",
        "its results to be stored",
        lambda facts: facts.stage.since,
        _never,
        lambda facts: f"it ends with what came of it; {_REST}",
    ),
    Rule(
        Situation.RUNNING,
        _is(AttemptState.RUNNING),
        lambda facts: f"It runs on {facts.attempt.node}.",
        "its end",
        lambda facts: facts.attempt.started_at,
        lambda facts: (facts.attempt.started_at or 0.0) + facts.timeout_s,
        lambda facts: "it is ended for taking longer than its manifest allows",
    ),
    Rule(
        Situation.PREPARING,
        lambda facts: facts.has_stage,
        lambda facts: f"{facts.attempt.node} makes it ready: {facts.stage.what}.",
        "its node to make it ready",
        lambda facts: facts.stage.since,
        lambda facts: facts.stage.until,
        lambda facts: (
            f"it is started; {_REST}"
            if facts.stage.until is None
            else "the node gives it up, and it is tried on another one"
        ),
    ),
    Rule(
        Situation.BEHIND,
        _is_behind,
        lambda facts: f"{facts.attempt.node} has it, and begins with it as soon as a slot there is free.",
        "a slot of its node",
        lambda facts: facts.attempt.claimed_at,
        _behind_until,
        lambda facts: f"a job that has a slot is ended at its time limit; {_REST}",
    ),
    Rule(
        Situation.CLAIMED,
        lambda facts: True,
        lambda facts: f"{facts.attempt.node} has it and is about to start it.",
        "its node to start it",
        lambda facts: facts.attempt.claimed_at,
        _never,
        lambda facts: f"what takes long is told here; {_REST}",
    ),
)


def explain(facts: Facts) -> Explanation:
    """The first row that holds."""
    rule = next(one for one in SITUATIONS if one.holds(facts))
    queued = _is_queued(facts)
    return Explanation(
        situation=rule.situation,
        sentence=rule.sentence(facts),
        waits_for=rule.waits_for,
        since=rule.since(facts),
        until=rule.until(facts),
        then=rule.then(facts),
        stage=facts.stage if rule.situation in (Situation.PREPARING, Situation.STORING) else None,
        decision=facts.job.waiting_reason if queued else "",
        decided_at=facts.looked_at if queued else None,
        before=facts.before if queued else 0,
        nodes=facts.answers if queued else (),
    )
