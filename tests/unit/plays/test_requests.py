"""Requests about nodes: what makes a play, and what makes none."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from webfront.accounts.views import Account
from webfront.database.models import Node, Play
from webfront.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from webfront.fleet.service import FleetService
from webfront.fleet.states import NODE_TRANSITIONS, NodeState
from webfront.fleet.views import NewNode, Secrets
from webfront.plays.controllers import claim
from webfront.plays.outcome import Failure
from webfront.plays.rows import end_play
from webfront.plays.secrets import SecretKeeper
from webfront.plays.service import PlayService
from webfront.plays.states import PlayState
from webfront.plays.verbs import ADMIT, DRAIN, REGISTER, REMOVE, TEST, VERBS, Verb

PROJECT = Path(__file__).resolve().parents[3]
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----"
ALPHA = NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(password="one-time"), labels=("gpu", "gpu"), slots=2)


def openssh_key(cipher: bytes) -> str:
    data = b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + b"\0" * 60
    return KEY.format(base64.b64encode(data).decode())


def asking(plays: PlayService, verb: Verb) -> Callable[[Account, str], object]:
    return lambda account, name: plays.begin(account, name, verb)


def end_plays() -> None:
    Play.update(state=PlayState.FAILED.value, finished_at=1.0).execute()


def test_a_registration_is_a_node_and_a_play_with_secrets(
    plays: PlayService, keeper: SecretKeeper, ada: Account
) -> None:
    begun = plays.register(ada, ALPHA)
    assert (begun.node.state, begun.node.labels, begun.node.slots) == ("registering", ("gpu",), 2)
    assert (begun.play.verb, begun.play.state, begun.play.node) == ("register", "queued", "alpha")
    assert keeper.take(begun.play.id) == Secrets(password="one-time")
    assert "one-time" not in str([*Node.select().dicts(), *Play.select().dicts()])


def test_nothing_is_begun_when_the_plays_process_is_away(database: object, ada: Account, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        PlayService(tmp_path / "none.sock", "one").register(ada, ALPHA)
    assert not Node.select().exists()
    assert not Play.select().exists()


def test_one_play_about_a_node_at_a_time(plays: PlayService, ada: Account) -> None:
    first = plays.register(ada, ALPHA)
    for request in (
        lambda: plays.register(ada, ALPHA),
        lambda: plays.begin(ada, "alpha", DRAIN),
        lambda: plays.begin(ada, "alpha", REMOVE),
        lambda: plays.begin(ada, "alpha", REGISTER, Secrets()),
    ):
        with pytest.raises(Conflict) as caught:
            request()
        assert caught.value.detail == {"play": first.play.id}
    end_plays()
    assert plays.begin(ada, "alpha", DRAIN).verb == "drain"


def test_a_failed_registration_may_be_put_right_under_its_name(plays: PlayService, ada: Account) -> None:
    plays.register(ada, ALPHA)
    end_plays()
    again = plays.register(ada, NewNode("alpha", "ssh", "10.0.0.8", 2222, "root", Secrets(password="x")))
    assert (again.node.address, again.node.ssh_port) == ("10.0.0.8", 2222)
    Node.update(state="active").execute()
    end_plays()
    with pytest.raises(Conflict, match="active"):
        plays.register(ada, ALPHA)


def test_a_removed_nodes_name_begins_anew(plays: PlayService, fleet: FleetService, ada: Account) -> None:
    plays.register(ada, ALPHA)
    end_plays()
    Node.update(state="removed", metrics={"cpu_count": 1}).execute()
    assert not fleet.nodes()
    with pytest.raises(Conflict):
        plays.begin(ada, "alpha", REMOVE)
    begun = plays.register(ada, ALPHA)
    assert (begun.node.state, begun.node.metrics) == ("registering", None)


def test_a_node_is_its_registrars(plays: PlayService, fleet: FleetService, ada: Account, bob: Account) -> None:
    with pytest.raises(Forbidden, match="administrator"):
        plays.register(bob, NewNode("here", "local"))
    plays.register(ada, ALPHA)
    end_plays()
    for request in (asking(plays, DRAIN), asking(plays, REMOVE), fleet.activate, fleet.benchmark):
        with pytest.raises(Forbidden):
            request(bob, "alpha")
    with pytest.raises(NotFound):
        plays.begin(ada, "nowhere", DRAIN)


def test_only_a_drained_node_is_activated(plays: PlayService, fleet: FleetService, ada: Account) -> None:
    plays.register(ada, ALPHA)
    end_plays()
    with pytest.raises(Conflict, match="registering"):
        fleet.activate(ada, "alpha")
    Node.update(state="drained").execute()
    assert fleet.activate(ada, "alpha").state == "active"


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (NewNode("Alpha", "local"), "name"),
        (NewNode("a" * 33, "local"), "name"),
        (NewNode("a.b", "local"), "name"),
        (NewNode("alpha", "telnet"), "connection"),
        (NewNode("alpha", "local", slots=0), "slots"),
        (NewNode("alpha", "local", labels=("no spaces",)), "labels"),
        (NewNode("alpha", "ssh", "-oProxyCommand=x", ssh_user="root", secrets=Secrets(password="x")), "address"),
        (NewNode("alpha", "ssh", "10.0.0.7; rm", ssh_user="root", secrets=Secrets(password="x")), "address"),
        (NewNode("alpha", "ssh", "10.0.0.7", 0, "root", Secrets(password="x")), "ssh_port"),
        (NewNode("alpha", "ssh", "fe80::1%eth0;x", ssh_user="root", secrets=Secrets(password="x")), "address"),
        (NewNode("alpha", "ssh", "1::2::3", ssh_user="root", secrets=Secrets(password="x")), "address"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "ro ot", Secrets(password="x")), "ssh_user"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "-oProxyCommand=x", Secrets(password="x")), "ssh_user"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "A\\\\b", Secrets(password="x")), "ssh_user"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root"), "private_key"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets("ssh-ed25519 AAAA")), "private_key"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(openssh_key(b"aes256-ctr"))), "private_key"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(password="x"), host_key="what"), "host_key"),
    ],
)
def test_what_cannot_end_well_is_refused(plays: PlayService, ada: Account, wish: NewNode, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plays.register(ada, wish)
    assert caught.value.detail == {"field": field}
    assert not Node.select().exists()


def test_a_key_arrives_in_the_form_ssh_reads(plays: PlayService, keeper: SecretKeeper, ada: Account) -> None:
    key = openssh_key(b"none")
    pasted = "  " + key.replace("\n", "\r\n") + "\r\n\r\n"
    begun = plays.register(ada, NewNode("alpha", "ssh", "host.example", 22, "root", Secrets(private_key=pasted)))
    assert keeper.take(begun.play.id) == Secrets(private_key=key + "\n")


def test_a_registration_that_failed_is_tried_again_under_its_name(
    plays: PlayService, keeper: SecretKeeper, ada: Account
) -> None:
    begun = plays.register(ada, ALPHA)
    claim(begun.play.id, "one", 1.0)
    end_play(begun.play.id, Failure("it is off"), "Reach the machine", 2.0)
    assert Node.get(Node.name == "alpha").state == NodeState.UNREGISTERED
    with pytest.raises(Conflict, match="unregistered"):
        plays.begin(ada, "alpha", DRAIN)
    again = plays.begin(ada, "alpha", REGISTER)
    assert Node.get(Node.name == "alpha").state == NodeState.REGISTERING
    claim(again.id, "one", 3.0)
    end_play(again.id, Failure("it is off"), "Reach the machine", 4.0)
    plays.register(ada, ALPHA)
    assert Node.get(Node.name == "alpha").state == NodeState.REGISTERING


@pytest.mark.parametrize("verb", VERBS.values(), ids=str)
@pytest.mark.parametrize("state", NodeState)
def test_each_verb_is_asked_for_only_where_its_row_says(
    plays: PlayService, ada: Account, verb: Verb, state: NodeState
) -> None:
    plays.register(ada, ALPHA)
    end_plays()
    Node.update(state=state.value, joined=verb.only_joined).execute()
    assert verb.offered_from <= verb.asked_from
    if state in verb.asked_from:
        assert plays.begin(ada, "alpha", verb).verb == verb.name
    else:
        with pytest.raises(Conflict):
            plays.begin(ada, "alpha", verb)


def test_a_node_that_joined_by_itself_is_asked_what_needs_nobody_there(plays: PlayService, ada: Account) -> None:
    plays.register(ada, ALPHA)
    end_plays()
    Node.update(state="active", joined=True).execute()
    for verb in (REGISTER, TEST):
        with pytest.raises(Conflict, match="joined by itself"):
            plays.begin(ada, "alpha", verb)
    with pytest.raises(InvalidInput, match="only its labels"):
        plays.edit(ada, "alpha", {"slots": 3})
    assert plays.edit(ada, "alpha", {"labels": ("fast",)}).node.labels == ("fast",)
    assert plays.begin(ada, "alpha", REMOVE).verb == "remove"
    Node.update(joined=False).execute()
    end_plays()
    with pytest.raises(Conflict, match="over SSH"):
        plays.begin(ada, "alpha", ADMIT)
    for verb in VERBS.values():
        assert not verb.joined_playbook or (PROJECT / "playbooks" / verb.joined_playbook).is_file()


def test_what_a_verb_settles_is_an_allowed_transition() -> None:
    for verb in VERBS.values():
        for one in (verb.begun, verb.succeeded, verb.failed):
            if one is not None and one.to is not None:
                assert all(one.to in NODE_TRANSITIONS[source] or source is one.to for source in one.sources), verb.name


def test_a_machine_is_registered_without_an_agent(plays: PlayService, keeper: SecretKeeper, ada: Account) -> None:
    begun = plays.register(ada, msgspec.structs.replace(ALPHA, agentless=True))
    assert begun.node.agentless
    row = Node.get(Node.name == "alpha")
    assert (row.connection, row.machine) == ("ssh", {})
    assert REGISTER.playbook(agentless=True) == "register_agentless.yml"
    assert REGISTER.playbook() == "register.yml"
    assert DRAIN.playbook(agentless=True) == "drain.yml"
    with pytest.raises(InvalidInput, match="reached over SSH"):
        plays.register(ada, NewNode("beta", "local", agentless=True))


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("host.example", "host.example"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
@pytest.mark.parametrize("user", ["root", "CORP\\ann.lee", "ann@corp.example", "_svc-1"])
def test_accounts_and_addresses_as_they_are(
    plays: PlayService, ada: Account, address: str, stored: str, user: str
) -> None:
    begun = plays.register(ada, NewNode("alpha", "ssh", address, 22, user, Secrets(password="x")))
    assert (begun.node.address, begun.node.ssh_user) == (stored, user)


def test_no_secret_is_asked_for_where_the_platforms_key_was_added(
    plays: PlayService, keeper: SecretKeeper, ada: Account
) -> None:
    begun = plays.register(ada, NewNode("alpha", "ssh", "10.0.0.7", 22, "root", has_platform_key=True))
    assert keeper.take(begun.play.id) is None


def test_a_test_leaves_a_node_that_may_be_registered_and_is_not(
    plays: PlayService, keeper: SecretKeeper, ada: Account
) -> None:
    begun = plays.register(ada, ALPHA, TEST)
    assert (begun.node.state, begun.play.verb) == ("unregistered", "test")
    assert keeper.take(begun.play.id) == Secrets(password="one-time")
    claim(begun.play.id, "one", 1.0)
    end_play(begun.play.id, None, "", 2.0)
    node = Node.get()
    assert (node.state, node.state_reason) == ("unregistered", "its connection was tested and is in order")
    again = plays.register(ada, ALPHA)
    assert (again.node.state, again.play.verb) == ("registering", "register")


def test_testing_a_node_leaves_its_state(plays: PlayService, ada: Account) -> None:
    plays.register(ada, ALPHA)
    end_plays()
    for state in ("active", "drained", "dead"):
        Node.update(state=state, state_reason="as it was").execute()
        play = plays.begin(ada, "alpha", TEST)
        claim(play.id, "one", 1.0)
        end_play(play.id, Failure("it is off"), "Reach the machine", 2.0)
        node = Node.get()
        assert (node.state, node.state_reason) == (state, "as it was")
