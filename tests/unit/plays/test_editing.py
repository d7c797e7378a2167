"""Changing a node: what is checked, what it brings about, and what guards it."""

from __future__ import annotations

from typing import Any

import pytest

from webfront.accounts.views import Account
from webfront.database.models import Fact, Node, Play
from webfront.errors import Conflict, Forbidden, InvalidInput, Unavailable
from webfront.fleet.queries import get_node
from webfront.fleet.states import NodeState
from webfront.fleet.views import NewNode, Secrets
from webfront.plays.secrets import SecretKeeper
from webfront.plays.service import PlayService
from webfront.plays.states import PlayState

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Tz5vQqZ0p0cV8b6f1o0c5mXlq0w1m2n3o4p5q6r7s"


@pytest.fixture
def alpha(plays: PlayService, ada: Account) -> Node:
    plays.register(ada, NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(password="x"), labels=("gpu",)))
    Play.update(state=PlayState.SUCCEEDED.value, finished_at=1.0).execute()
    Node.update(state="active", host_key=KEY).execute()
    return Node.get()


def last_fact() -> dict[str, Any]:
    found: dict[str, Any] = Fact.select().where(Fact.kind == "node.edit").order_by(Fact.id.desc()).get().data
    return found


def test_labels_count_at_once_and_need_no_play(plays: PlayService, ada: Account, alpha: Node) -> None:
    edited = plays.edit(ada, "alpha", {"labels": ("arm", "arm", " ")})
    assert (edited.node.labels, edited.node.state, edited.play) == (("arm",), "active", None)
    assert last_fact() == {"changed": "labels"}
    assert plays.edit(ada, "alpha", {"labels": ("arm",)}).play is None
    assert Fact.select().where(Fact.kind == "node.edit").count() == 1  # nothing was changed the second time


@pytest.mark.parametrize(
    "changes",
    [{"address": "10.0.0.8"}, {"ssh_port": 2222}, {"ssh_user": "edge"}, {"slots": 4}, {"host_key": ""}],
    ids=str,
)
def test_what_the_machine_must_learn_has_the_registration_run_again(
    plays: PlayService, keeper: SecretKeeper, ada: Account, alpha: Node, changes: dict[str, Any]
) -> None:
    edited = plays.edit(ada, "alpha", changes, secrets=Secrets(password="for-once"))
    assert edited.play is not None
    assert (edited.play.verb, edited.play.state) == ("register", "queued")
    assert keeper.take(edited.play.id) == Secrets(password="for-once")
    # It works on meanwhile, and its key goes with it to another address.
    assert edited.node.state == "active"
    fresh = Node.get()
    assert {name: getattr(fresh, name) for name in changes} == changes
    assert fresh.host_key == changes.get("host_key", KEY)
    assert fresh.registered_by == "ada"


def test_a_failed_registration_is_mended_by_a_change(plays: PlayService, ada: Account, alpha: Node) -> None:
    Node.update(state="unregistered").execute()
    edited = plays.edit(ada, "alpha", {"address": "10.0.0.9"}, secrets=Secrets(password="y"))
    assert edited.node.state == "registering"
    assert edited.play is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "10.0.0.7; rm"}, "address"),
        ({"ssh_port": 0}, "ssh_port"),
        ({"ssh_user": "ro ot"}, "ssh_user"),
        ({"host_key": "what"}, "host_key"),
        ({"labels": ("no spaces",)}, "labels"),
        ({"slots": 0}, "slots"),
    ],
)
def test_it_is_checked_as_at_registration(
    plays: PlayService, ada: Account, alpha: Node, changes: dict[str, Any], field: str
) -> None:
    before = Node.select().dicts().get()
    with pytest.raises(InvalidInput) as caught:
        plays.edit(ada, "alpha", changes)
    assert caught.value.detail == {"field": field}
    assert Node.select().dicts().get() == before


def test_anothers_change_is_not_overwritten(plays: PlayService, ada: Account, alpha: Node) -> None:
    seen = get_node("alpha").edition
    plays.edit(ada, "alpha", {"labels": ("arm",)}, edition=seen)
    assert get_node("alpha").edition != seen
    with pytest.raises(Conflict, match="changed meanwhile"):
        plays.edit(ada, "alpha", {"labels": ("mine",)}, edition=seen)
    assert Node.get().labels == ["arm"]
    # What changes by itself is nobody's change.
    seen = get_node("alpha").edition
    Node.update(state="suspect", metrics={"cpu_count": 1}, last_heartbeat_at=5.0).execute()
    assert get_node("alpha").edition == seen


def test_where_it_is_refused(plays: PlayService, ada: Account, bob: Account, alpha: Node) -> None:
    with pytest.raises(Forbidden):
        plays.edit(bob, "alpha", {"slots": 2})
    plays.edit(ada, "alpha", {"slots": 2})
    with pytest.raises(Conflict, match="under way"):
        plays.edit(ada, "alpha", {"labels": ()})
    Play.update(state=PlayState.FAILED.value, finished_at=1.0).execute()
    Node.update(state=NodeState.REMOVED.value).execute()
    with pytest.raises(Conflict, match="Register the machine anew"):
        plays.edit(ada, "alpha", {"labels": ()})


def test_the_controller_itself_has_labels_and_slots_alone(plays: PlayService, ada: Account) -> None:
    plays.register(ada, NewNode("here", "local"))
    Play.update(state=PlayState.SUCCEEDED.value, finished_at=1.0).execute()
    Node.update(state="active").execute()
    with pytest.raises(InvalidInput, match="controller itself"):
        plays.edit(ada, "here", {"address": "10.0.0.1"})
    assert plays.edit(ada, "here", {"labels": ("big",)}).play is None
    assert plays.edit(ada, "here", {"slots": 3}).play is not None


def test_nothing_is_changed_when_the_plays_process_is_away(
    plays: PlayService, keeper: SecretKeeper, ada: Account, alpha: Node
) -> None:
    keeper.close()
    with pytest.raises(Unavailable):
        plays.edit(ada, "alpha", {"slots": 2})
    assert Node.get().slots == 1
