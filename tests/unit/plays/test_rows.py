"""A play's rows, also when the database is away for a while."""

from __future__ import annotations

import peewee
import pytest

from webfront.database.models import Node, Play, PlayEvent
from webfront.plays.controllers import claim
from webfront.plays.outcome import Failure
from webfront.plays.rows import StepRows, end_play
from webfront.plays.states import StepState
from webfront.plays.words import PlayStep


@pytest.fixture
def play(database: peewee.Database) -> Play:
    Node.create(name="alpha", state="registering", connection="ssh", address="10.0.0.7", created_at=0)
    return Play.create(verb="register", node="alpha", state="queued", requested_by="ann", created_at=0)


def shown(play: Play) -> list[tuple[int, str]]:
    rows = PlayEvent.select().where(PlayEvent.play == play.id).order_by(PlayEvent.number)
    return [(row.number, row.state) for row in rows]


def test_each_step_is_shown_once(play: Play) -> None:
    rows = StepRows(play.id, clock=lambda: 100.0)
    rows.tell(PlayStep(1, 0.0, "a", StepState.RUNNING))
    assert shown(play) == [(1, "running")]
    rows.tell(PlayStep(2, 0.0, "a", StepState.OK, replaces=1))
    rows.tell(PlayStep(3, 0.0, "b", StepState.RUNNING))
    rows.tell(PlayStep(4, 0.0, "b", StepState.CHANGED, replaces=3))
    assert shown(play) == [(1, "running")]  # gathered for a moment
    assert rows.flush()
    assert shown(play) == [(2, "ok"), (4, "changed")]


def test_steps_wait_for_a_database_that_is_away_and_are_not_written_twice(
    play: Play, database: peewee.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = StepRows(play.id)
    with monkeypatch.context() as away:
        away.setattr(database, "execute_sql", _fail)
        rows.tell(PlayStep(1, 0.0, "a", StepState.OK))
        assert not rows.flush()
    # As if the first commit had come through and only its answer was lost.
    PlayEvent.create(play=play, number=1, at=0.0, step="a", state="ok")
    assert rows.flush()
    assert shown(play) == [(1, "ok")]


def _fail(*arguments: object, **named: object) -> None:
    raise peewee.OperationalError("server has gone away")


def test_a_play_is_claimed_and_ended_once(play: Play) -> None:
    assert claim(play.id, "one", 1.0)
    assert not claim(play.id, "one", 1.0)
    StepRows(play.id).tell(PlayStep(1, 0.0, "a", StepState.RUNNING))
    assert end_play(play.id, Failure("it is off", "Switch it on."), "a", 2.0)
    assert not end_play(play.id, None, "", 3.0)
    fresh = Play.get_by_id(play.id)
    assert (fresh.state, fresh.message, fresh.advice, fresh.failed_step) == (
        "failed",
        "it is off",
        "Switch it on.",
        "a",
    )
    assert shown(play) == [(1, "failed")]
    node = Node.get(Node.name == "alpha")
    assert (node.state, node.state_reason) == ("unregistered", "register failed: it is off")


@pytest.mark.parametrize(
    ("verb", "before", "failed", "after"),
    [
        ("register", "registering", False, "registering"),
        ("register", "active", True, "active"),
        ("drain", "draining", False, "drained"),
        ("drain", "active", False, "active"),  # activated meanwhile
        ("drain", "draining", True, "draining"),
        ("remove", "drained", False, "removed"),
        ("remove", "drained", True, "drained"),
    ],
)
def test_the_nodes_state_follows_from_the_play(play: Play, verb: str, before: str, failed: bool, after: str) -> None:
    Node.update(state=before).execute()
    Play.update(verb=verb, state="running").execute()
    assert end_play(play.id, Failure("no") if failed else None, "", 1.0)
    assert Node.get().state == after
