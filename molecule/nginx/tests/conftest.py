"""A client of the machine's front door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.trust import trust


@pytest.fixture
def address(host: Any) -> str:
    return str(host.ansible.get_variables()["ansible_host"])


@pytest.fixture
def client(host: Any, address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"https://{address}", verify=trust(host), timeout=30) as made:
        yield made
