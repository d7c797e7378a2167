"""A client of the platform's front door, and the machines by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.trust import trust

Machine = Callable[[str], Any]


@pytest.fixture
def machine(host: Any) -> Machine:
    """Another machine of the scenario, as testinfra's host."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return lambda name: host.get_host(f"ansible://{name}", ansible_inventory=inventory)


@pytest.fixture
def client(host: Any) -> Iterator[httpx.Client]:
    """Signed in as the administrator. `host` is the machine with the front door."""
    address = host.ansible.get_variables()["ansible_host"]
    with httpx.Client(base_url=f"https://{address}/api/v1", verify=trust(host), timeout=60) as made:
        given = {"user": "admin", "password": "the-first-users-password"}
        token = made.post("/tokens", json=given).raise_for_status().json()["token"]
        made.headers["Authorization"] = f"Bearer {token}"
        yield made
