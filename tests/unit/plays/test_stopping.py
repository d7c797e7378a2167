"""Stopping a play: one that waits, one that runs, and one that has ended."""

from __future__ import annotations

import pytest

from webfront.accounts.views import Account
from webfront.database.models import Fact, Node, Play
from webfront.errors import Conflict, Forbidden, NotFound
from webfront.fleet.views import NewNode, Secrets
from webfront.plays.controllers import claim
from webfront.plays.failures import CUT_OFF, stopped
from webfront.plays.queries import get_play
from webfront.plays.rows import end_play, stop_wishes
from webfront.plays.secrets import SecretKeeper
from webfront.plays.service import PlayService
from webfront.plays.views import PlayView
from webfront.settings import Settings

ALPHA = NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(password="one-time"))


@pytest.fixture
def play(plays: PlayService, ada: Account) -> PlayView:
    return plays.register(ada, ALPHA).play


def test_one_that_waits_is_stopped_at_once_and_its_secrets_are_forgotten(
    plays: PlayService, keeper: SecretKeeper, ada: Account, play: PlayView
) -> None:
    found = plays.stop(ada, play.id)
    assert (found.state, found.stopped_by, found.is_over) == ("stopped", "ada", True)
    assert keeper.take(play.id) is None
    node = Node.get()
    assert (node.state, node.state_reason) == ("unregistered", "register was stopped by ada")
    assert not claim(play.id, "one", 2.0)
    end = Fact.get(Fact.kind == "play.end")
    assert (end.outcome, end.data["stopped_by"]) == ("failure", "ada")
    # It may be asked for again at once.
    assert plays.register(ada, ALPHA).play.state == "queued"


def test_one_that_runs_ends_when_the_plays_process_has_ended_it(
    plays: PlayService, ada: Account, bob: Account, play: PlayView
) -> None:
    claim(play.id, "one", 1.0)
    with pytest.raises(Forbidden):
        plays.stop(bob, play.id)
    assert stop_wishes([play.id]) == {}
    for _ in range(2):
        found = plays.stop(ada, play.id)
        assert (found.state, found.stopped_by) == ("running", "ada")
    assert Fact.select().where(Fact.kind == "play.stop").count() == 1
    assert stop_wishes([play.id]) == {play.id: "ada"}
    assert end_play(play.id, stopped("ada"), "Install Python", 2.0, is_stopped=True)
    assert get_play(play.id).play.state == "stopped"
    assert Play.get().state == "failed"  # which the release before this can read
    with pytest.raises(Conflict, match=r"ended already: it was stopped\."):
        plays.stop(ada, play.id)


def test_what_came_to_its_end_first_is_not_called_stopped(plays: PlayService, ada: Account, play: PlayView) -> None:
    claim(play.id, "one", 1.0)
    plays.stop(ada, play.id)
    assert end_play(play.id, None, "", 2.0)
    found = get_play(play.id).play
    assert (found.state, found.stopped_by) == ("succeeded", "")
    with pytest.raises(Conflict, match=r"ended already: it succeeded\."):
        plays.stop(ada, play.id)
    with pytest.raises(NotFound):
        plays.stop(ada, 999)


@pytest.mark.parametrize("wished", [True, False])
def test_a_play_whose_process_died_is_stopped_if_that_was_wished(
    plays: PlayService, ada: Account, play: PlayView, settings: Settings, wished: bool
) -> None:
    from webfront.plays.process import PlaysProcess

    claim(play.id, settings.controller_name, 1.0)
    if wished:
        plays.stop(ada, play.id)
    settings.state_dir.mkdir()
    process = PlaysProcess(settings)
    process.open()
    process._keeper.close()
    found = get_play(play.id).play
    assert found.state == ("stopped" if wished else "failed")
    assert (found.message == CUT_OFF.message) is not wished
