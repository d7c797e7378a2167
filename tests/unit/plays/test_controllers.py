"""Several controllers on one database: who runs which play, and what becomes of those of one that is gone."""

from __future__ import annotations

import pytest

from webfront.database.models import Controller, Play
from webfront.plays.controllers import STILL_LOOKS, Controllers, claim, still_run_by


@pytest.fixture
def one(database: object) -> Controllers:
    made = Controllers("one")
    made.beat()
    return made


def play(controller: str, state: str = "queued") -> int:
    made = Play.create(
        verb="drain", node="alpha", state=state, controller=controller, requested_by="ada", created_at=1.0
    )
    return int(made.id)


def test_each_runs_its_own_plays_and_those_from_before_there_were_several(one: Controllers) -> None:
    Controllers("two").beat()
    one.beat()
    assert one.runs_for() == ["one", ""]
    assert not one.left_running()


def test_what_one_leaves_that_is_gone_is_taken_over(one: Controllers) -> None:
    Controllers("two").beat()
    left = play("two", "running")
    for _ in range(STILL_LOOKS):
        one.beat()
        assert one.runs_for() == ["one", ""]
    one.beat()
    assert one.runs_for() == ["one", "", "two"]
    assert [row.id for row in one.left_running()] == [left]


def test_one_that_is_there_is_left_alone_and_one_that_returns_has_its_own_again(one: Controllers) -> None:
    two = Controllers("two")
    for _ in range(3 * STILL_LOOKS):
        two.beat()
        one.beat()
    assert one.runs_for() == ["one", ""]
    for _ in range(STILL_LOOKS + 1):
        one.beat()
    assert one.runs_for() == ["one", "", "two"]
    two.beat()
    one.beat()
    assert one.runs_for() == ["one", ""]


def test_one_works_for_the_nodes_without_an_agent_for_as_long_as_it_is_there(database: object) -> None:
    second = Controllers("two")
    second.beat()
    assert second.works
    first = Controllers("one")
    for _ in range(3 * STILL_LOOKS):
        first.beat()
        second.beat()
        assert (first.works, second.works) == (False, True)
    # It dies, and is back before the other takes it to be gone.
    for _ in range(STILL_LOOKS):
        first.beat()
    second = Controllers("two")
    second.beat()
    first.beat()
    assert (first.works, second.works) == (False, True)
    # It is stopped for longer, and goes on.
    for _ in range(STILL_LOOKS):
        assert not first.works
        first.beat()
    assert first.works
    for _ in range(3):
        second.beat()
        first.beat()
        assert (first.works, second.works) == (True, False)


def test_of_two_that_come_in_the_same_moment_the_first_by_name_works(database: object) -> None:
    first, second = Controllers("one"), Controllers("two")
    first.beat()
    second.beat()
    Controller.update(works=True).execute()
    second.beat()
    first.beat()
    assert (first.works, second.works) == (True, False)


def test_a_name_that_is_taken_out_is_forgotten(one: Controllers) -> None:
    Controllers("two").beat()
    one.beat()
    Controller.delete().where(Controller.name == "two").execute()
    for _ in range(STILL_LOOKS + 1):
        one.beat()
    assert not one.gone


def test_a_play_is_claimed_by_one_and_lost_to_who_ends_it(one: Controllers) -> None:
    first, second = play("one"), play("two")
    assert claim(first, "one", 1.0)
    assert not claim(first, "two", 1.0)
    assert claim(second, "one", 1.0)
    assert still_run_by("one", [first, second]) == {first, second}
    Play.update(state="failed").where(Play.id == first).execute()
    assert still_run_by("one", [first, second]) == {second}
    assert still_run_by("one", []) == set()
