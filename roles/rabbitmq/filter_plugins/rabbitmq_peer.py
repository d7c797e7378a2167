"""A member of the cluster, by what the inventory says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def rabbitmq_peer(variables: Mapping[str, Any]) -> dict[str, str]:
    """Its Erlang node name, and its address for the other members."""
    name = str(variables["inventory_hostname"])
    address = variables.get("rabbitmq_distribution_address") or variables.get("ansible_host") or name
    node = variables.get("rabbitmq_node_name") or f"rabbit@{name.split('.')[0]}"
    return {"node": str(node), "address": str(address)}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., dict[str, str]]]:
        return {"rabbitmq_peer": rabbitmq_peer}
