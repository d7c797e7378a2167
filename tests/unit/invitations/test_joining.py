"""Invitations over HTTP: who may what, what each side is told, and what is handed out once."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.invitations import KEY, OTHER_KEY, PASSWORD, TOLD, admit, headers

from webfront.admin.secrets import reseal
from webfront.database.models import Fact, Invitation, Node, Play
from webfront.invitations.program import Program
from webfront.pages.invitations import line_to_paste
from webfront.settings import Settings
from webfront.web.services import Services

Browse = Callable[..., httpx.Client]


def invite(admin: httpx.Client, **more: Any) -> tuple[str, str]:
    """The invitation's address, and its token."""
    answer = admin.post("/api/v1/invitations", json={"node": "attic", "slots": 2, "labels": ["roof"], **more})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return f"/api/v1/invitations/{made['invitation']['id']}", made["token"]


def claim(machine: httpx.Client, token: str, key: str = KEY, **told: Any) -> httpx.Response:
    return machine.post("/api/v1/join", json=TOLD | told, headers=headers(token, key))


def kinds() -> list[tuple[str, str, str]]:
    rows = Fact.select().where(Fact.kind.startswith("invitation.") | (Fact.kind == "node.admit")).order_by(Fact.id)
    return [(row.kind, row.outcome, row.user) for row in rows]


def test_a_machine_joins(admin: httpx.Client, machine: httpx.Client, settings: Settings) -> None:
    at, token = invite(admin)
    standing = claim(machine, token).json()["standing"]
    assert (standing["state"], standing["node"], standing["is_ready"]) == ("claimed", "attic", False)
    shown = admin.get(at).json()["invitation"]
    assert shown["machine"] == TOLD | {"was": "", "seen_from": "127.0.0.1"}
    assert admin.post(f"{at}/approve", json={"code": "XYZ-999"}).status_code == 409
    admitted = admin.post(f"{at}/approve", json={"code": "abc-234"})
    assert admitted.status_code == 202, admitted.text
    assert admitted.json()["play"]["verb"] == "admit"
    node = Node.get()
    assert (node.state, node.joined, node.address, node.slots, node.labels) == (
        "registering",
        True,
        "10.0.0.7",
        2,
        ["roof"],
    )
    # Approved, and not yet admitted: nothing is there to fetch.
    assert machine.get("/api/v1/join", headers=headers(token)).json()["standing"]["is_ready"] is False
    assert machine.get("/api/v1/join/offer", headers=headers(token)).status_code == 409
    archive = admit(settings, "attic")
    assert machine.get("/api/v1/join", headers=headers(token)).json()["standing"]["is_ready"] is True
    offers = [machine.get("/api/v1/join/offer", headers=headers(token)).json()["offer"] for _ in range(2)]
    assert offers[0] == offers[1]  # whoever was cut off fetches it again
    assert offers[0]["variables"]["node_agent_broker_password"] == PASSWORD
    name = offers[0]["packages"]["ansible"]
    body = machine.get(f"/api/v1/join/packages/{name}", headers=headers(token)).content
    assert (
        hashlib.sha256(body).hexdigest()
        == offers[0]["sha256"][name]
        == hashlib.sha256(archive.read_bytes()).hexdigest()
    )
    for other in ("../secrets.key", "packages-ffffffffffffffff.tar.gz"):
        assert machine.get(f"/api/v1/join/packages/{other}", headers=headers(token)).status_code == 404
    for _ in range(2):
        assert machine.post("/api/v1/join/taken", headers=headers(token)).json()["standing"]["state"] == "taken"
    assert machine.get("/api/v1/join/offer", headers=headers(token)).status_code == 409
    assert Invitation.get().sealed is None
    assert kinds() == [
        ("invitation.create", "success", "ada"),
        ("invitation.claim", "success", ""),
        ("node.admit", "failure", "ada"),
        ("node.admit", "success", "ada"),
        ("invitation.take", "success", ""),
    ]


def test_neither_token_nor_password_is_kept_in_the_clear(
    admin: httpx.Client, machine: httpx.Client, settings: Settings, services: Services
) -> None:
    at, token = invite(admin)
    claim(machine, token, was="attic", password=PASSWORD)
    told = str(list(Invitation.select().dicts())) + admin.get(at).text + admin.get("/api/v1/invitations").text
    for secret in (token, KEY, PASSWORD):
        assert secret not in told
    admin.post(f"{at}/approve", json={"code": "ABC-234"}).raise_for_status()
    admit(settings, "attic")
    assert PASSWORD not in str(list(Invitation.select().dicts()))
    assert PASSWORD not in str(list(Fact.select().dicts()))
    assert reseal(settings, argparse.Namespace())["resealed"] == 1
    assert machine.get("/api/v1/join/offer", headers=headers(token)).status_code == 200


@pytest.mark.parametrize("key", [OTHER_KEY, "", "short"])
def test_a_token_that_is_claimed_is_of_no_use_to_another_machine(
    admin: httpx.Client, machine: httpx.Client, settings: Settings, key: str
) -> None:
    at, token = invite(admin)
    claim(machine, token)
    admin.post(f"{at}/approve", json={"code": "ABC-234"}).raise_for_status()
    admit(settings, "attic")
    refused = claim(machine, token, key)
    assert refused.status_code == (409 if key == OTHER_KEY else 400)
    for method, path in (
        ("GET", ""),
        ("GET", "/offer"),
        ("GET", "/packages/packages-0123456789abcdef.tar.gz"),
        ("POST", "/taken"),
        ("DELETE", ""),
    ):
        answer = machine.request(method, f"/api/v1/join{path}", headers=headers(token, key))
        assert answer.status_code == 409, answer.text
        assert "another machine" in answer.json()["error"]["message"]
    assert machine.get("/api/v1/join/offer", headers=headers(token)).status_code == 200
    # Whoever knows no token learns nothing.
    assert claim(machine, "guessed").json()["error"]["code"] == "not_found"


def test_what_has_ended_says_how(admin: httpx.Client, machine: httpx.Client) -> None:
    at, token = invite(admin)
    Invitation.update(expires_at=1.0).execute()
    assert "expired" in claim(machine, token).json()["error"]["message"]
    assert admin.get(at).json()["invitation"]["state"] == "expired"
    assert admin.delete(at).status_code == 409

    at, token = invite(admin)
    assert admin.delete(at).json()["invitation"]["state"] == "revoked"
    assert "revoked" in claim(machine, token).json()["error"]["message"]
    assert admin.delete(at).status_code == 409

    at, token = invite(admin)
    assert admin.post(f"{at}/refuse").status_code == 409  # nobody has asked
    claim(machine, token)
    assert admin.post(f"{at}/refuse").json()["invitation"]["decided_by"] == "ada"
    assert "refused" in machine.get("/api/v1/join", headers=headers(token)).json()["error"]["message"]
    assert admin.post(f"{at}/approve", json={"code": "ABC-234"}).status_code == 409
    assert not Node.select().exists()

    # Approved in the last minute, the machine has an hour to come.
    at, token = invite(admin, hours=0.01)
    claim(machine, token)
    admin.post(f"{at}/approve", json={"code": "ABC-234"}).raise_for_status()
    row = Invitation.select().order_by(Invitation.id.desc()).first()
    assert row.expires_at - row.decided_at == pytest.approx(3600)
    Node.update(state="removed").execute()
    assert "removed" in machine.get("/api/v1/join", headers=headers(token)).json()["error"]["message"]


def test_a_machine_that_asks_no_more_leaves_the_invitation_to_the_next(
    admin: httpx.Client, machine: httpx.Client
) -> None:
    at, token = invite(admin)
    claim(machine, token)
    assert machine.delete("/api/v1/join", headers=headers(token)).status_code == 204
    assert admin.get(at).json()["invitation"]["machine"] is None
    claim(machine, token, OTHER_KEY, code="ZZZ-999").raise_for_status()
    # The page was opened while the first one asked.
    assert admin.post(f"{at}/approve", json={"code": "ABC-234"}).status_code == 409
    admin.post(f"{at}/approve", json={"code": "ZZZ-999"}).raise_for_status()
    assert machine.delete("/api/v1/join", headers=headers(token, OTHER_KEY)).status_code == 409


def test_only_administrators_invite(browse: Browse) -> None:
    bob = browse("bob")
    assert bob.post("/api/v1/invitations", json={"node": "attic"}).status_code == 403
    assert bob.get("/api/v1/invitations").status_code == 403
    assert bob.get("/invitations").status_code == 403
    assert browse().post("/api/v1/invitations", json={"node": "attic"}).status_code == 401
    at, _ = invite(browse("ada"))
    for ask in (bob.get, bob.delete):
        assert ask(at).status_code == 403
    for verb in ("approve", "refuse"):
        assert bob.post(f"{at}/{verb}", json={"code": "ABC-234"}).status_code == 403


def test_a_name_in_use_is_not_given_away(admin: httpx.Client, machine: httpx.Client) -> None:
    at, token = invite(admin)
    claim(machine, token)
    Node.create(name="attic", state="active", connection="ssh", address="10.0.0.9", created_at=0)
    assert admin.post("/api/v1/invitations", json={"node": "attic"}).status_code == 409
    refused = admin.post(f"{at}/approve", json={"code": "ABC-234"})
    assert refused.status_code == 409
    assert admin.get(at).json()["invitation"]["state"] == "claimed"  # nothing of it stands
    assert not Play.select().exists()
    for wrong in (
        {"node": "Attic"},
        {"node": "a", "hours": 0},
        {"node": "a", "hours": 1000},
        {"node": "a", "slots": 0},
    ):
        assert admin.post("/api/v1/invitations", json=wrong).status_code == 400, wrong


def test_a_node_joins_once_more_under_its_name(admin: httpx.Client, machine: httpx.Client, settings: Settings) -> None:
    Node.create(name="attic", state="active", connection="ssh", address="10.0.0.7", joined=True, created_at=0)
    at, token = invite(admin, slots=4)
    assert "attic already" in claim(machine, invite(admin, node="cellar")[1], was="attic").json()["error"]["message"]
    claim(machine, token, was="attic", password=PASSWORD).raise_for_status()
    admin.post(f"{at}/approve", json={"code": "ABC-234"}).raise_for_status()
    node = Node.get()
    # It works on meanwhile.
    assert (node.state, node.slots, node.joined) == ("active", 4, True)


@pytest.mark.parametrize(
    "told",
    [
        {"addresses": ["10.0.0.0/8"]},
        {"addresses": ["0.0.0.0"]},
        {"addresses": ["127.0.0.1"]},
        {"addresses": ["1.2.3"]},
        {"addresses": []},
        {"code": "<b>"},
        {"host": "a\nb"},
        {"arch": "x86 64"},
        {"python": "2.7"},
    ],
)
def test_what_a_machine_says_is_looked_at(admin: httpx.Client, machine: httpx.Client, told: dict[str, Any]) -> None:
    at, token = invite(admin)
    assert claim(machine, token, **told).status_code == 400
    assert admin.get(at).json()["invitation"]["state"] == "open"


def test_the_program_is_the_same_file_each_time(machine: httpx.Client, settings: Settings) -> None:
    program = Program(settings.project_dir)
    assert machine.get("/join/skerry.pyz").content == program.body == Program(settings.project_dir).body
    with zipfile.ZipFile(io.BytesIO(program.body)) as packed:
        names = packed.namelist()
    assert len(names) == len(set(names))
    for needed in ("__main__.py", "node_scripts/joining/command.py", "wire/__init__.py", "playbooks/join.yml"):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("webfront")]


def test_the_program_holds_all_that_its_playbooks_name(settings: Settings, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(Program(settings.project_dir).body)) as packed:
        packed.extractall(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "--syntax-check", "-i", "localhost,"]
        + [f"playbooks/{name}.yml" for name in ("register", "join", "leave")],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_page_shows_the_line_once_and_approves(
    browse: Browse, machine: httpx.Client, services: Services, settings: Settings
) -> None:
    page = browse("ada")
    made = page.post("/invitations/new", data={"node": "attic", "slots": "1", "hours": "2", "labels": ""})
    assert made.status_code == 201
    token = re.search(r"--front http://skerry.test (skerry_join_[\w-]{32})", made.text)[1]  # type: ignore[index]
    assert services.invitations.program.sha256 in made.text
    at = f"/invitations/{Invitation.get().id}"
    claim(machine, token)
    assert "attic.example asks to join as attic" in page.get("/nodes").text
    shown = page.get(at).text
    assert "ABC-234" in shown
    assert token not in shown + page.get("/invitations").text
    answer = page.post(f"{at}/approve", data={"code": "ABC-234"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/nodes/attic")
    node = page.get("/nodes/attic").text
    assert "joined by itself" in node
    assert "skerry.pyz leave" in node
    assert "Test the connection" not in node
    assert page.post("/invitations/new", data={"node": "cellar", "slots": "x"}).status_code == 400


def test_the_line_survives_a_shell() -> None:
    line = line_to_paste("https://skerry.example", "token", "0" * 64)
    assert line.count('"') == 2
    assert not set("$`\\!") & set(line.replace("sys.exit", ""))
