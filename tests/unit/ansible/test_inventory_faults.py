"""The inventory's faults: each is told with what to change, all at once, and what can work is not refused."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webfront.fleet import validation
from wire import topology

PROJECT = Path(__file__).resolve().parents[3]
PLUGIN = runpy.run_path(str(PROJECT / "roles/validate_inventory/filter_plugins/inventory_faults.py"))
faults: Callable[[dict[str, list[str]], dict[str, dict[str, Any]]], list[str]] = PLUGIN["inventory_faults"]

SECRETS = {
    "rabbitmq_admin_password": "a-long-one-for-rabbitmq",
    "webfront_broker_password": "a-long-one-for-rabbitmq",
    "webfront_admin_password": "a-long-one-for-people",
    "webfront_database_password": "a-long-one-for-the-database",
}
FLEET: dict[str, dict[str, Any]] = {
    "b": {**SECRETS, "ansible_host": "10.0.0.5"},
    "c": {
        **SECRETS,
        "webfront_database_url": "mysql://skerry@10.0.0.6/skerry",
        "webfront_secure_cookies": True,
        "nfs_client_source": "10.0.0.8:/srv/skerry",
        "webfront_share_unit": "skerry-share.service",
        "webfront_uid": 60590,
        "webfront_gid": 60590,
        "webfront_plays_variables": {"node_agent_broker_host": "10.0.0.5", "node_agent_broker_tls": True},
    },
    "d": {},
    "f": {"ansible_host": "10.0.0.8"},
    "edge-1": {
        "ansible_host": "10.0.1.1",
        "node_slots": 2,
        "node_labels": ["hall-3"],
        "node_agent_broker_host": "b",
        "node_agent_broker_tls": True,
    },
    "edge-2": {"ansible_host": "10.0.1.2"},
}
GROUPS = {
    "all": ["b", "c", "d", "f", "edge-1", "edge-2"],
    "brokers": ["b"],
    "controllers": ["c"],
    "databases": ["d"],
    "file_servers": ["f"],
    "proxies": ["c"],
    "nodes": ["edge-1", "edge-2"],
    "ssh_nodes": ["edge-1", "edge-2"],
    "hall_3": ["edge-1"],
}
TWO = {"controllers": ["c", "d"], "databases": ["e"], "proxies": ["p"]}
"""The same with two controllers, PAIR, behind a front door on another host."""
SECOND: dict[str, Any] = {
    **FLEET["c"],
    "webfront_host": "10.0.0.9",
    "webfront_proxy_networks": ["10.0.0.7"],
}
PAIR: dict[str, dict[str, Any]] = {
    "c": {**SECOND, "webfront_host": "10.0.0.8"},
    "d": SECOND,
    "e": {},
    "p": {"nginx_fronts": ["10.0.0.8:8460", "10.0.0.9:8460"]},
}
SEARCH: dict[str, dict[str, Any]] = {"s": {}, "c": {"webfront_logs_reader": "shipper"}}
"""With Elasticsearch on a host of its own."""
THREE = {"node_agent_broker_host": "10.0.0.5, 10.0.0.6,10.0.0.7", "node_agent_broker_tls": True}


def told(*, groups: dict[str, list[str]] | None = None, **hosts: dict[str, Any]) -> str:
    """The faults of a good inventory with these changes."""
    changed = FLEET | {name: FLEET.get(name, {}) | more for name, more in hosts.items()}
    return "\n".join(faults(GROUPS | (groups or {}), changed))


def test_a_good_one_has_none() -> None:
    assert told() == ""
    assert told(groups={"elasticsearch": ["s"]}, **SEARCH) == ""
    assert told(groups={"elasticsearch": ["s", "t", "u"]}, **SEARCH, t={}, u={}) == ""


@pytest.mark.parametrize(
    ("words", "groups", "hosts"),
    [
        ("The group brokers is empty", {"brokers": []}, {}),
        ("The group controllers is empty", {"controllers": []}, {}),
        ("There are 2 brokers", {"brokers": ["b", "c"]}, {}),
        ("several hosts in the group databases", {"databases": ["b", "d"]}, {}),
        ("rabbitmq_admin_password of b is too short", {}, {"b": {"rabbitmq_admin_password": "x"}}),
        ("webfront_admin_password of c is still the example's", {}, {"c": {"webfront_admin_password": "replace-with"}}),
        ("webfront_broker_password of c refers to", {}, {"c": {"webfront_broker_password": "{{ vault_x }}"}}),
        ("does not use it", {}, {"c": {"webfront_database_url": ""}}),
        ("an SQLite file", {"databases": []}, {"c": {"webfront_database_url": ""}}),
        ("a file of its own, and there are 2 controllers", TWO, PAIR | {"d": {**SECOND, "webfront_database_url": ""}}),
        ("nobody could sign in", {"proxies": []}, {}),
        ("listens on 127.0.0.1 alone, and there are 2", TWO, PAIR | {"d": {**SECOND, "webfront_host": "127.0.0.1"}}),
        ("d does not know from where the front door", TWO, PAIR | {"d": {**SECOND, "webfront_proxy_networks": []}}),
        ("nginx_fronts of p names 1 of the 2 web fronts", TWO, PAIR | {"p": {"nginx_fronts": ["10.0.0.8:8460"]}}),
        ("Edge_1 cannot be a node's name", {"nodes": ["Edge_1"]}, {"Edge_1": {}}),
        ("node_slots of edge-1 is 0", {}, {"edge-1": {"node_slots": 0}}),
        ("node_slots of edge-1 is 'many'", {}, {"edge-1": {"node_slots": "many"}}),
        ("node_labels of edge-1 is no list", {}, {"edge-1": {"node_labels": "hall-3"}}),
        ("'Hall 3' of edge-1 is no label", {}, {"edge-1": {"node_labels": ["Hall 3"]}}),
        ("edge-1 has 21 labels", {}, {"edge-1": {"node_labels": [f"l{number}" for number in range(21)]}}),
        ("edge-1 and edge-2 are the same machine", {}, {"edge-2": {"ansible_host": "10.0.1.1"}}),
        ("own loopback address", {}, {"edge-1": {"node_agent_broker_host": "localhost"}}),
        (
            "webfront_plays_variables.node_agent_broker_host of c",
            {},
            {"c": {"webfront_plays_variables": {"node_agent_broker_host": "127.0.0.1"}}},
        ),
        ("speaks TLS alone (rabbitmq_tls), and webfront_broker_tls of c", {}, {"c": {"webfront_broker_host": "b"}}),
        ("and node_agent_broker_tls of edge-1 is false", {}, {"edge-1": {"node_agent_broker_tls": False}}),
        (
            "webfront_plays_variables.node_agent_broker_host of c names 1 of the 3 brokers",
            {"brokers": ["b", "c", "d"]},
            {"d": SECRETS, "edge-1": THREE},
        ),
        ("Name the share to mount as HOST:/PATH", {}, {"edge-1": {"nfs_client_source": "10.0.0.8"}}),
        ("own loopback address", {}, {"edge-1": {"nfs_client_source": "[::1]:/srv/skerry"}}),
        ("There are 2 hosts in the group elasticsearch", {"elasticsearch": ["s", "t"]}, SEARCH | {"t": {}}),
        ("nobody takes log records there", {"elasticsearch": ["s"]}, {"s": {}}),
        ("webfront_logs_reader of c is shipper", {"logstash": ["s"]}, SEARCH),
        (
            "elasticsearch_password of s is still the example's",
            {"elasticsearch": ["s"]},
            SEARCH | {"s": {"elasticsearch_password": "replace-with-one"}},
        ),
        ("several hosts in the group file_servers", {"file_servers": ["f", "d"]}, {}),
        ("c does not mount its share", {}, {"c": {"nfs_client_source": ""}}),
        ("c mounts the share and does not wait for it", {}, {"c": {"webfront_share_unit": ""}}),
        ("Nothing makes the share that c", {"file_servers": []}, {"c": {"nfs_client_source": ""}}),
        ("webfront_uid of c is 999, and nfs_server_uid of f is 60590", {}, {"c": {"webfront_uid": 999}}),
        ("would belong to root", {}, {"f": {"nfs_server_gid": 0}, "c": {"webfront_gid": 0}}),
    ],
)
def test_a_fault_is_told(words: str, groups: dict[str, list[str]], hosts: dict[str, dict[str, Any]]) -> None:
    found = told(groups=groups, **hosts)
    assert words in found
    assert len(found.splitlines()) == 1, found


def test_a_misspelt_group_is_named() -> None:
    found = told(groups={"brokers": [], "broker": ["b"]})
    assert "The group broker is unknown to the playbooks, and brokers is empty. Rename it to brokers." in found


@pytest.mark.parametrize(
    ("groups", "hosts"),
    [
        (TWO, PAIR),
        ({"databases": []}, {"c": {"webfront_database_url": "sqlite:////srv/skerry.sqlite"}}),
        (
            {"databases": [], "file_servers": []},
            {"c": {"webfront_database_url": "", "webfront_manager": "supervisor", "nfs_client_source": ""}},
        ),
        ({"file_servers": []}, {"c": {"nfs_client_source": "", "validate_inventory_share_elsewhere": True}}),
        ({"file_servers": ["c"]}, {"c": {"nfs_client_source": "", "webfront_share_unit": ""}}),
        ({"proxies": []}, {"c": {"validate_inventory_proxy_elsewhere": True}}),
        ({"proxies": []}, {"c": {"webfront_secure_cookies": False}}),
        ({"brokers": ["b", "c", "d"]}, {"d": SECRETS, "edge-1": THREE, "c": {"webfront_plays_variables": THREE}}),
        ({}, {"b": {"rabbitmq_tls": False}, "edge-1": {"node_agent_broker_tls": False}}),
        ({}, {"b": {"rabbitmq_plain_address": "0.0.0.0"}, "edge-1": {"node_agent_broker_tls": False}}),
        ({}, {"c": {"webfront_broker_host": "127.0.0.1"}}),
        ({"broker": []}, {}),
        ({}, {"edge-2": {"ansible_host": "10.0.1.1", "ansible_port": 2222}}),
        ({"local_nodes": ["edge-1"]}, {"edge-2": {"ansible_host": "10.0.1.1"}}),
        ({}, {"edge-1": {"nfs_client_source": "[fd00::6]:/srv/skerry"}}),
        ({}, {"c": {"webfront_database_password": "x"}}),
    ],
)
def test_what_can_work_is_not_refused(groups: dict[str, list[str]], hosts: dict[str, dict[str, Any]]) -> None:
    assert told(groups=groups, **hosts) == ""


def test_all_faults_come_at_once_and_without_secrets() -> None:
    found = told(
        groups={"proxies": [], "databases": []},
        b={"rabbitmq_admin_password": "hush"},
        c={"webfront_admin_password": "silence", "webfront_database_url": ""},
    )
    assert len(found.splitlines()) == 4
    assert "hush" not in found
    assert "silence" not in found


def test_its_rules_are_the_platforms() -> None:
    assert PLUGIN["NODE_NAME"].pattern == topology.NODE_NAME.pattern
    assert PLUGIN["LABEL"].pattern == validation._LABEL.pattern
    assert PLUGIN["MOST_SLOTS"] == validation._MOST_SLOTS
    assert PLUGIN["MOST_LABELS"] == validation._MOST_LABELS


def test_its_groups_are_the_playbooks() -> None:
    used = {
        name
        for path in (PROJECT / "playbooks").glob("*.yml")
        for line in re.findall(r"^  hosts: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in re.findall(r"[a-z_]+", re.sub(r"\{\{.*?\}\}", "nodes", line))
    }
    # A playbook makes groups of its own, named for it.
    made = {name for name in used if name.startswith(("upgrade_", "benchmark_"))}
    assert used - made - {"all", "localhost"} <= set(PLUGIN["GROUPS"])


def fill_vault(inventory: Path) -> None:
    vault = inventory / "group_vars/all/vault.yml"
    vault.write_text(re.sub(r"replace-with[a-z-]*", "a-long-one-that-nobody-knows", vault.read_text()))


def play(inventory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ansible-playbook", "-i", str(inventory), "playbooks/site.yml", "--tags", "validate_inventory"],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_example_lacks_nothing_but_its_secrets(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "inventories/example", tmp_path / "mine")
    told = play(tmp_path / "mine")
    assert told.returncode != 0
    assert "still the example's" in told.stdout
    fill_vault(tmp_path / "mine")
    told = play(tmp_path / "mine")
    assert told.returncode == 0, told.stdout + told.stderr


def test_five_lines_are_enough(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "inventories/example", tmp_path / "mine")
    fill_vault(tmp_path / "mine")
    lines = re.search(r"in five lines.*?```yaml\n(.*?)```", (PROJECT / "docs/operating.md").read_text(), re.DOTALL)
    assert lines is not None
    assert len(lines[1].splitlines()) == 5
    (tmp_path / "mine/hosts.yml").write_text(lines[1])
    told = play(tmp_path / "mine")
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_clouds_machines_are_mapped_onto_the_groups_by_their_tags(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "inventories/cloud", tmp_path / "mine")
    # What a cloud's plugin would give.
    (tmp_path / "mine/1-machines.aws_ec2.yml").unlink()
    (tmp_path / "mine/1-machines.yml").write_text(
        "all:\n  hosts:\n"
        "    core: {ansible_host: 10.0.0.4, tags: {skerry: broker database files controller proxy}}\n"
        "    edge-1: {ansible_host: 10.0.1.1, tags: {skerry: node, skerry_slots: '2', skerry_labels: hall-3 gpu}}\n"
        "    edge-2: {ansible_host: 10.0.1.2, tags: {skerry: node}}\n"
    )
    fill_vault(tmp_path / "mine")
    shown = subprocess.run(
        ["ansible-inventory", "-i", str(tmp_path / "mine"), "--list"],
        cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    # What came from outside is marked as no template.
    found = json.loads(shown.stdout, object_hook=lambda one: one.get("__ansible_unsafe", one))
    for group in ("brokers", "controllers", "databases", "file_servers", "proxies"):
        assert found[group]["hosts"] == ["core"]
    assert found["ssh_nodes"]["hosts"] == found["nodes"]["hosts"] == ["edge-1", "edge-2"]
    told = {host: (one["node_slots"], one["node_labels"]) for host, one in found["_meta"]["hostvars"].items()}
    assert (told["edge-1"], told["edge-2"]) == ((2, ["hall-3", "gpu"]), (1, []))
    assert play(tmp_path / "mine").returncode == 0
