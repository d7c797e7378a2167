"""What the role rabbitmq says of the platform's queues is what the platform says of them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from webfront.broker import topology as declared
from webfront.logs import bounds
from wire import topology

ROLE = Path(__file__).resolve().parents[3] / "roles/rabbitmq"


def policies() -> dict[str, dict[str, Any]]:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    return {policy["name"]: policy for policy in defaults["rabbitmq_operator_policies"]}


def test_the_operators_bounds_leave_the_platform_its_own() -> None:
    logs = policies()["skerry-logs"]
    settings: Any = SimpleNamespace(logs_rate=333, logs_absence_s=600, logs_reader="shipper")
    for queue, own in bounds.policies(settings).items():
        assert re.search(logs["pattern"], queue)
        assert logs["definition"]["max-length-bytes"] >= own["max-length-bytes"]
    orders = policies()["skerry-orders"]
    assert re.search(orders["pattern"], topology.jobs_queue("edge-1"))
    assert orders["definition"]["delivery-limit"] == declared.ORDER_DELIVERIES


def test_a_member_is_named_by_the_inventory() -> None:
    peer = runpy.run_path(str(ROLE / "filter_plugins/rabbitmq_peer.py"))["rabbitmq_peer"]
    assert peer({"inventory_hostname": "b-1.example.org", "ansible_host": "10.0.0.5"}) == {
        "node": "rabbit@b-1",
        "address": "10.0.0.5",
    }
    said = {"rabbitmq_node_name": "mine@x", "rabbitmq_distribution_address": "10.1.0.5", "ansible_host": "10.0.0.5"}
    assert peer({"inventory_hostname": "b", **said}) == {"node": "mine@x", "address": "10.1.0.5"}
