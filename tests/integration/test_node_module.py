"""The module `skerry_node`, alone and in the playbooks, with the real `skerry-admin` on a real broker and database."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.admin import Admin, beating
from support.ansible_module import run_module
from support.rabbitmq import free_ports

from webfront.database.models import Node

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = secrets.token_urlsafe(30)


@pytest.fixture
def name() -> str:
    return f"n{secrets.token_hex(4)}"


def call(admin: Admin, state: str, name: str, *, check: bool = False, **more: Any) -> dict[str, Any]:
    return run_module("skerry_node", check=check, name=name, state=state, command=str(admin.command), **more)


def known(admin: Admin, name: str) -> tuple[str | None, bool]:
    """The node's state, and whether the broker knows its user."""
    node = Node.get_or_none(Node.name == name)
    return node.state if node else None, admin.api.get("users", f"node-{name}") is not None


def test_each_state_is_reached_once_and_check_mode_tells_it_before(admin: Admin, name: str) -> None:
    def reach(state: str, **more: Any) -> dict[str, Any]:
        before = known(admin, name)
        would = call(admin, state, name, check=True, **more)
        assert known(admin, name) == before
        did = call(admin, state, name, **more)
        assert {part: would[part] for part in ("changed", "diff", "node_state")} == {
            part: did[part] for part in ("changed", "diff", "node_state")
        }
        assert call(admin, state, name, **more)["changed"] is False
        return did

    row = {"password": PASSWORD, "address": "10.0.0.7", "labels": ["gpu", "arm"], "slots": 2}
    admitted = reach("admitted", **row)
    assert admitted["diff"] == {
        "before": {"state": None, "admitted": False},
        "after": {"state": "registering", "admitted": True},
    }
    node = Node.get(Node.name == name)
    assert (node.address, node.labels, node.slots, node.connection) == ("10.0.0.7", ["gpu", "arm"], 2, "ssh")

    drained = reach("drained")
    assert drained["diff"] == {"before": {"state": "registering"}, "after": {"state": "drained"}}
    assert reach("absent")["node_state"] == "removed"
    assert known(admin, name) == ("removed", False)


def test_presence_waits_for_a_heartbeat_and_changes_nothing(admin: Admin, name: str) -> None:
    Node.create(name=name, state="active", connection="local", address="localhost", created_at=0)
    # In check mode nothing was started that could beat.
    assert call(admin, "present", name, check=True, timeout_s=1)["changed"] is False
    late = call(admin, "present", name, timeout_s=1)
    assert late["failed"]
    assert "no heartbeat came within 1 seconds" in late["msg"]
    assert "run it again" in late["advice"]
    with beating(name):
        came = call(admin, "present", name, timeout_s=20)
    assert (came["changed"], came["node_state"]) == (False, "active")


def test_the_words_of_a_failure_are_skerry_admins_and_never_the_password(admin: Admin, name: str) -> None:
    refused = call(admin, "admitted", "Not.A.Name", password=PASSWORD)
    assert refused["failed"]
    assert "Not.A.Name" in refused["msg"]
    assert "at least 16" in call(admin, "admitted", name, password="short-one")["msg"]
    assert PASSWORD not in json.dumps(refused)
    assert PASSWORD not in json.dumps(call(admin, "admitted", name, password=PASSWORD))
    call(admin, "absent", name)
    assert "no node" in call(admin, "drained", "nobody")["msg"]
    nowhere = run_module("skerry_node", name=name, state="absent", command="/nowhere/skerry-admin")
    assert "/nowhere/skerry-admin could not be run" in nowhere["msg"]


def play(playbook: str, inventory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program is not None
    return subprocess.run(
        [program, "-i", str(inventory), str(PROJECT / "playbooks" / playbook), *options],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def gone(admin: Admin, name: str, tmp_path: Path) -> Path:
    """An inventory with a node that was admitted and whose machine cannot be reached any more."""
    assert call(admin, "admitted", name, password=PASSWORD)["changed"] is True
    (closed,) = free_ports(1)
    controller = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "webfront_become": False,
        "webfront_bin_dir": str(admin.command.parent),
    }
    inventory = {
        "controllers": {"hosts": {"controller": controller}},
        "nodes": {"children": {"ssh_nodes": {"hosts": {name: {"ansible_host": "127.0.0.1", "ansible_port": closed}}}}},
    }
    path = tmp_path / "hosts.yml"
    path.write_text(json.dumps(inventory))
    return path


def test_a_machine_that_cannot_be_reached_is_dismissed(admin: Admin, name: str, gone: Path) -> None:
    extra = json.dumps({"node": name, "register_platform_public_key": "ssh-ed25519 AAAA test"})
    checked = play("remove.yml", gone, "-e", extra, "--check", "--diff")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "changed=2" in checked.stdout
    assert known(admin, name) == ("registering", True)

    result = play("remove.yml", gone, "-e", extra)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "changed=2" in result.stdout
    assert known(admin, name) == ("removed", False)


def test_a_drain_touches_no_machine(admin: Admin, name: str, gone: Path) -> None:
    done = play("drain.yml", gone, "-e", f"node={name}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert known(admin, name) == ("drained", True)
    again = play("drain.yml", gone, "-e", f"node={name}")
    assert "changed=0" in again.stdout
