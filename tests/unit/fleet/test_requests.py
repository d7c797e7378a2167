"""Requests about nodes: what makes a play, and what makes none."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from webfront.accounts.users import create_user
from webfront.accounts.views import Account
from webfront.database.models import Node, Play
from webfront.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from webfront.fleet.service import FleetService
from webfront.fleet.views import NewNode, Secrets
from webfront.plays.secrets import SecretKeeper

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----"
ALPHA = NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(password="one-time"), labels=("gpu", "gpu"), slots=2)


def openssh_key(cipher: bytes) -> str:
    data = b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + b"\0" * 60
    return KEY.format(base64.b64encode(data).decode())


@pytest.fixture
def ada(database: object) -> Account:
    return create_user("ada", "correct horse", is_admin=True)


@pytest.fixture
def bob(database: object) -> Account:
    return create_user("bob", "correct horse")


@pytest.fixture
def keeper() -> Iterator[SecretKeeper]:
    # A Unix socket's path is short, pytest's folders are not.
    with tempfile.TemporaryDirectory() as folder:
        made = SecretKeeper(Path(folder) / "plays.sock", lambda: None)
        made.open()
        yield made
        made.close()


@pytest.fixture
def fleet(keeper: SecretKeeper) -> FleetService:
    return FleetService(keeper._path, lambda name: None)


def end_plays() -> None:
    Play.update(state="failed").execute()


def test_a_registration_is_a_node_and_a_play_with_secrets(
    fleet: FleetService, keeper: SecretKeeper, ada: Account
) -> None:
    begun = fleet.register(ada, ALPHA)
    assert (begun.node.state, begun.node.labels, begun.node.slots) == ("registering", ("gpu",), 2)
    assert (begun.play.verb, begun.play.state, begun.play.node) == ("register", "queued", "alpha")
    assert keeper.take(begun.play.id).password == "one-time"
    assert "one-time" not in str([*Node.select().dicts(), *Play.select().dicts()])


def test_nothing_is_begun_when_the_plays_process_is_away(database: object, ada: Account, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        FleetService(tmp_path / "none.sock", lambda name: None).register(ada, ALPHA)
    assert not Node.select().exists()
    assert not Play.select().exists()


def test_one_play_about_a_node_at_a_time(fleet: FleetService, ada: Account) -> None:
    first = fleet.register(ada, ALPHA)
    for request in (
        lambda: fleet.register(ada, ALPHA),
        lambda: fleet.drain(ada, "alpha"),
        lambda: fleet.remove(ada, "alpha"),
        lambda: fleet.register_again(ada, "alpha", Secrets()),
    ):
        with pytest.raises(Conflict) as caught:
            request()
        assert caught.value.detail == {"play": first.play.id}
    end_plays()
    assert fleet.drain(ada, "alpha").verb == "drain"


def test_a_failed_registration_may_be_put_right_under_its_name(fleet: FleetService, ada: Account) -> None:
    fleet.register(ada, ALPHA)
    end_plays()
    again = fleet.register(ada, NewNode("alpha", "ssh", "10.0.0.8", 2222, "root", Secrets(password="x")))
    assert (again.node.address, again.node.ssh_port) == ("10.0.0.8", 2222)
    Node.update(state="active").execute()
    end_plays()
    with pytest.raises(Conflict, match="active"):
        fleet.register(ada, ALPHA)


def test_a_removed_nodes_name_begins_anew(fleet: FleetService, ada: Account) -> None:
    fleet.register(ada, ALPHA)
    end_plays()
    Node.update(state="removed", metrics={"cpu_count": 1}).execute()
    assert not fleet.nodes()
    with pytest.raises(Conflict):
        fleet.remove(ada, "alpha")
    begun = fleet.register(ada, ALPHA)
    assert (begun.node.state, begun.node.metrics) == ("registering", None)


def test_a_node_is_its_registrars(fleet: FleetService, ada: Account, bob: Account) -> None:
    with pytest.raises(Forbidden, match="administrator"):
        fleet.register(bob, NewNode("here", "local"))
    fleet.register(ada, ALPHA)
    end_plays()
    for request in (fleet.drain, fleet.remove, fleet.activate, fleet.benchmark):
        with pytest.raises(Forbidden):
            request(bob, "alpha")
    with pytest.raises(NotFound):
        fleet.drain(ada, "nowhere")


def test_only_a_drained_node_is_activated(fleet: FleetService, ada: Account) -> None:
    fleet.register(ada, ALPHA)
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
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "ro ot", Secrets(password="x")), "ssh_user"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root"), "private_key"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets("ssh-ed25519 AAAA")), "private_key"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(openssh_key(b"aes256-ctr"))), "private_key"),
        (NewNode("alpha", "ssh", "10.0.0.7", 22, "root", Secrets(password="x"), host_key="what"), "host_key"),
    ],
)
def test_what_cannot_end_well_is_refused(fleet: FleetService, ada: Account, wish: NewNode, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        fleet.register(ada, wish)
    assert caught.value.detail == {"field": field}
    assert not Node.select().exists()


def test_a_key_arrives_in_the_form_ssh_reads(fleet: FleetService, keeper: SecretKeeper, ada: Account) -> None:
    key = openssh_key(b"none")
    pasted = "  " + key.replace("\n", "\r\n") + "\r\n\r\n"
    begun = fleet.register(ada, NewNode("alpha", "ssh", "host.example", 22, "root", Secrets(private_key=pasted)))
    assert keeper.take(begun.play.id).private_key == key + "\n"
