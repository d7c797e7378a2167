"""`skerry-admin` as playbooks call it: a process, JSON on stdout, on a real broker and database."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from support.admin import Admin, beating
from support.invitations import TOLD
from support.rabbitmq import PrivateRabbit
from support.stores import SQLITE, Store

from webfront.accounts.passwords import verify
from webfront.database.models import App, AppVersion, Attempt, Invitation, Job, Node, User
from webfront.invitations.offers import open_offer
from webfront.secretbox import SecretBox

PASSWORD = secrets.token_urlsafe(30)


def test_init_makes_what_is_missing_and_keeps_what_is_there(admin: Admin) -> None:
    (admin.folder / "other").write_text("another password entirely")
    again = admin("init", "--admin", "ann", "--password-file", str(admin.folder / "other"))
    assert again == {"changed": False, "schema_created": False, "user_created": False}
    user = User.get(User.name == "ann")
    assert user.is_admin
    assert verify(user.password_hash, "correct horse battery")
    if admin.store.kind == SQLITE:
        assert Path(admin.store.url.removeprefix("sqlite:///")).stat().st_mode & 0o777 == 0o600


def test_a_node_is_admitted_drained_and_dismissed(admin: Admin) -> None:
    name = f"n{secrets.token_hex(4)}"
    first = admin("node-admit", name, "--address", "10.0.0.7", "--labels", "gpu, arm", "--slots", "2", stdin=PASSWORD)
    assert first == {"changed": True, "row_created": True, "broker_changed": True}
    assert admin("node-admit", name, stdin=PASSWORD + "\n")["changed"] is False
    node = Node.get(Node.name == name)
    assert (node.state, node.address, node.labels, node.slots) == ("registering", "10.0.0.7", ["gpu", "arm"], 2)

    # A job is live on it: the drain waits, says so when it gives up, and goes on when the job has ended.
    app = App.create(name="a", owner=User.get(), created_at=0)
    version = AppVersion.create(app=app, hash="h", manifest={}, size=1, uploaded_at=0)
    job = Job.create(id="j", app_version=version, user=User.get(), state="running", submitted_at=0, force_insert=True)
    attempt = Attempt.create(job=job, number=1, node=name, state="running", placement={}, placed_at=0)
    late = admin("node-drain", name, "--timeout", "0.5", expect=1)
    assert "still runs 1 of its jobs" in late["error"]["message"]
    assert "drain it again" in late["error"]["advice"]
    assert Node.get(Node.name == name).state == "draining"
    later = threading.Timer(1, lambda: Attempt.update(state="ended").where(Attempt.id == attempt.id).execute())
    later.start()
    assert admin("node-drain", name, "--timeout", "20") == {"changed": True, "state": "drained"}
    later.join()
    assert admin("node-drain", name)["changed"] is False

    assert admin("node-dismiss", name)["changed"] is True
    assert Node.get(Node.name == name).state == "removed"
    assert admin.api.get("users", f"node-{name}") is None
    assert admin("node-dismiss", name)["changed"] is False
    # And begun anew.
    assert admin("node-admit", name, stdin=PASSWORD)["row_created"] is True
    assert Node.get(Node.name == name).state == "registering"
    admin("node-dismiss", name)


def test_what_plays_know_of_a_machine_without_an_agent_is_kept(admin: Admin) -> None:
    known = ("node-agentless", "far", "--address", "10.0.0.9", "--root", "/var/lib/x", "--python", "/usr/bin/python3")
    assert admin(*known, "--check") == {"changed": True, "row_created": True}
    assert admin(*known) == {"changed": True, "row_created": True}
    assert admin(*known) == {"changed": False, "row_created": False}
    row = Node.get(Node.name == "far")
    assert row.machine == {"root": "/var/lib/x", "python": "/usr/bin/python3", "as_root": True}
    assert admin(*known, "--as-user", "--check") == {"changed": True, "row_created": False}
    late = admin("node-wait", "far", "--timeout", "0.2", expect=1)
    assert "has not measured it" in late["error"]["message"]
    Node.create(name="alpha", state="active", connection="ssh", address="10.0.0.8", created_at=0)
    refused = admin("node-agentless", "alpha", "--root", "/x", "--python", "/y", expect=1)
    assert "with an agent" in refused["error"]["message"]


def test_only_a_heartbeat_after_now_counts(admin: Admin) -> None:
    Node.create(name="alpha", state="registering", connection="local", address="localhost", created_at=0,
                last_heartbeat_at=time.time())  # fmt: skip
    late = admin("node-wait", "alpha", "--timeout", "0.5", expect=1)
    assert "no heartbeat came" in late["error"]["message"]
    assert admin("node-wait", "alpha", "--timeout", "0.5", "--age", "60")["state"] == "registering"
    with beating("alpha"):
        assert admin("node-wait", "alpha", "--timeout", "20")["state"] == "registering"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (("node-admit", "Not.A.Name"), PASSWORD, 1, "cannot be a node's name"),
        (("node-admit", "alpha"), "short", 1, "at least 16"),
        (("node-wait", "nobody"), "", 1, "no node nobody"),
        (("node-pin", "nobody"), "", 1, "no node nobody"),
        (("nonsense",), "", 2, "invalid choice"),
        (("node-drain",), "", 2, "NAME"),
        (("init", "--admin", "bob", "--password-file", "/nowhere"), "", 1, "cannot be read"),
    ],
)
def test_errors_are_words_in_json(admin: Admin, arguments: tuple[str, ...], stdin: str, code: int, words: str) -> None:
    assert words in admin(*arguments, stdin=stdin, expect=code)["error"]["message"]


def test_settings_that_cannot_be_used_are_named(admin: Admin) -> None:
    admin.env_file.write_text("SKERRY_STATE_DIR=relative\n")
    assert "SKERRY_STATE_DIR" in admin("node-wait", "alpha", expect=2)["error"]["message"]
    admin.env_file.write_text("this is no setting\n")
    assert "line 1" in admin("node-wait", "alpha", expect=2)["error"]["message"]


def test_a_broker_that_is_away_is_said_so(admin: Admin) -> None:
    text = admin.env_file.read_text()
    admin.env_file.write_text(text + "SKERRY_BROKER_ADMIN_URL=http://127.0.0.1:9\n")
    answer = admin("node-admit", "alpha", stdin=PASSWORD, expect=1)
    assert answer["error"]["code"] == "broker_unavailable"
    assert "http://127.0.0.1:9" in answer["error"]["message"]
    assert PASSWORD not in str(answer)


def test_check_says_what_would_change_and_changes_nothing(admin: Admin) -> None:
    name = f"n{secrets.token_hex(4)}"
    would = admin("node-admit", name, "--check", stdin=PASSWORD)
    assert would == {"changed": True, "row_created": True, "broker_changed": True}
    assert Node.get_or_none(Node.name == name) is None
    assert admin.api.get("users", f"node-{name}") is None
    assert admin.api.get("queues", "/", f"jobs.{name}") is None

    admin("node-admit", name, stdin=PASSWORD)
    assert admin("node-admit", name, "--check", stdin=PASSWORD)["changed"] is False
    another = secrets.token_urlsafe(30)
    assert admin("node-admit", name, "--check", stdin=another) == {
        "changed": True,
        "row_created": False,
        "broker_changed": True,
    }
    assert admin("node-admit", name, "--check", stdin=PASSWORD)["changed"] is False

    assert admin("node-drain", name, "--check") == {"changed": True, "state": "drained"}
    assert admin("node-show", name) == {"changed": False, "state": "registering"}
    assert admin("node-dismiss", name, "--check") == {"changed": True, "broker_changed": True, "state_changed": True}
    assert Node.get(Node.name == name).state == "registering"
    assert admin.api.get("users", f"node-{name}") is not None
    assert admin.api.get("queues", "/", f"jobs.{name}") is not None

    admin("node-dismiss", name)
    assert admin("node-dismiss", name, "--check")["changed"] is False
    assert "cannot be drained" in admin("node-drain", name, "--check", expect=1)["error"]["message"]
    assert admin("node-show", "nobody") == {"changed": False, "state": None}


def test_check_of_a_database_that_is_not_there_makes_none(tmp_path: Path, broker: PrivateRabbit) -> None:
    call = Admin(tmp_path, broker, Store(SQLITE, f"sqlite:///{tmp_path}/skerry.sqlite"))
    assert call("migrate", "--check")["changed"] is True
    assert call("init", "--check", "--admin", "ann", "--password-file", "/nowhere")["changed"] is True
    assert not (tmp_path / "skerry.sqlite").exists()
    applied = call("migrate")["applied"]
    assert call("migrate", "--check") == {"changed": False, "applied": [], "schema": call("migrate")["schema"]}
    assert applied
    missing = call("init", "--check", "--admin", "ann", "--password-file", "/nowhere")
    assert missing == {"changed": True, "schema_created": False, "user_created": True}


def test_what_a_node_has_at_the_broker_is_declared_anew_without_its_password(admin: Admin) -> None:
    name, away = f"n{secrets.token_hex(4)}", f"n{secrets.token_hex(4)}"
    for one in (name, away):
        admin("node-admit", one, stdin=PASSWORD)
        Node.update(state="active").where(Node.name == one).execute()
    user = f"node-{name}"
    before = admin.api.get("permissions", "/", user)
    admin.api.put("permissions", "/", user, body={"configure": ".*", "write": ".*", "read": ".*"})
    admin.api.delete("users", f"node-{away}")

    would = admin("nodes-renew", "--check")
    assert name in would["renewed"]
    assert admin.api.get("permissions", "/", user)["write"] == ".*"
    did = admin("nodes-renew")
    assert (did["renewed"], did["unknown"]) == ([name], [away])
    assert admin.api.get("permissions", "/", user) == before
    # Its password is what it was: to admit it with that changes nothing.
    assert admin("node-admit", name, stdin=PASSWORD)["changed"] is False
    assert admin("nodes-renew")["changed"] is False

    (admin.folder / "hashes").write_text("no JSON")
    assert (
        "cannot be read" in admin("nodes-renew", "--hashes", str(admin.folder / "hashes"), expect=1)["error"]["message"]
    )
    for one in (name, away):
        admin("node-dismiss", one)


def test_a_node_is_measured_and_the_figure_is_waited_for(admin: Admin) -> None:
    name = f"n{secrets.token_hex(4)}"
    admin("node-admit", name, stdin=PASSWORD)
    old = {"events_per_second": 5000.0, "events_measured_at": 1.0}
    Node.update(state="active", metrics=old, agent_version="0.1.0").where(Node.name == name).execute()
    [listed] = admin("node-list")["nodes"]
    assert (listed["name"], listed["agent_version"], listed["events_per_second"]) == (name, "0.1.0", 5000.0)
    assert admin("node-benchmark", name, "--check")["events_per_second"] == 5000.0

    late = admin("node-benchmark", name, "--timeout", "1", expect=1)
    assert "no new figure came within 1 seconds" in late["error"]["message"]
    # It was asked, and a figure that happens to be the same counts by when it was measured.
    assert admin.api.get("queues", "/", f"control.{name}") is not None
    same = old | {"events_measured_at": 2.0}
    later = threading.Timer(2, lambda: Node.update(metrics=same).where(Node.name == name).execute())
    later.start()
    assert admin("node-benchmark", name, "--timeout", "30")["measured_at"] == 2.0
    later.join()
    Node.update(state="dead").where(Node.name == name).execute()
    assert "there is no agent to ask" in admin("node-benchmark", name, expect=1)["error"]["message"]
    admin("node-dismiss", name)


def test_a_heartbeat_of_another_release_is_not_the_one_that_is_waited_for(admin: Admin) -> None:
    Node.create(name="alpha", state="active", connection="local", address="localhost", created_at=0,
                agent_version="0.1.0")  # fmt: skip
    with beating("alpha"):
        assert admin("node-wait", "alpha", "--agent-version", "0.1.0", "--timeout", "20")["state"] == "active"
        late = admin("node-wait", "alpha", "--agent-version", "0.2.0", "--timeout", "1", expect=1)["error"]
    assert "still of release 0.1.0, and 0.2.0 was installed" in late["message"]


def test_what_a_machine_joins_with_is_sealed(admin: Admin) -> None:
    """As `admit.yml` calls it, on both databases."""
    key_file = admin.folder / "secrets.key"
    key_file.write_bytes(Fernet.generate_key())
    key_file.chmod(0o600)
    assert "No machine is approved" in admin("node-asking", "attic", expect=1)["error"]["message"]
    now = time.time()
    told = {"token_hash": "t" * 64, "key_hash": "k" * 64, "machine": TOLD | {"was": "attic", "seen_from": "10.0.0.7"}}
    row = Invitation.create(node="attic", slots=1, state="approved", invited_by="ann", created_at=now,
                            expires_at=now + 60, sealed=SecretBox(key_file).seal(PASSWORD), **told)  # fmt: skip
    asking = admin("node-asking", "attic")
    assert (asking["machine"]["addresses"], asking["password"]) == (["10.0.0.7"], PASSWORD)
    archive = Path(asking["packages_dir"]) / "packages-1.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(b"packages")
    variables = json.dumps({"node_agent_broker_password": PASSWORD, "node_agent_slots": 3})
    offer = ("node-offer", "attic", f"--ansible={archive}", "--agent=")
    assert admin(*offer, "--check", stdin=variables)["changed"] is True
    assert [admin(*offer, stdin=variables)["changed"] for _ in range(2)] == [True, False]
    kept = open_offer(SecretBox(key_file), Invitation.get_by_id(row.id))
    assert kept is not None
    assert kept.packages == {"ansible": "packages-1.tar.gz"}
    assert (kept.variables["node_agent_slots"], kept.sha256["packages-1.tar.gz"]) == (
        3,
        hashlib.sha256(b"packages").hexdigest(),
    )
    # Admitted once more it keeps its password.
    assert admin("node-asking", "attic")["password"] == PASSWORD
    Invitation.update(expires_at=now - 1).execute()
    late = admin(*offer, stdin=variables, expect=1)["error"]
    assert "Invite it again" in late["advice"]


def test_the_schema_says_how_old_code_may_be(admin: Admin) -> None:
    said = admin("schema")
    assert said["oldest_code"] <= said["schema"]


def test_a_play_that_nobody_takes_is_not_waited_for_in_vain(admin: Admin) -> None:
    Node.create(name="alpha", state="active", connection="local", address="localhost", created_at=0)
    assert admin("node-register", "alpha", "--check")["changed"] is True
    assert "plays process does not answer" in admin("node-register", "alpha", expect=1)["error"]["message"]
