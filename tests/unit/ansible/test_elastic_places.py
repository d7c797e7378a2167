"""Where an Elasticsearch is: by a cloud id, and by the inventory."""

from __future__ import annotations

import base64
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]
PLUGIN = runpy.run_path(str(PROJECT / "roles/elasticsearch/filter_plugins/elasticsearch_places.py"))
cloud_url: Callable[[str], str] = PLUGIN["elastic_cloud_url"]
member_address: Callable[[dict[str, Any]], str] = PLUGIN["elastic_member_address"]


def cloud_id(places: str, name: str = "mine:") -> str:
    return name + base64.b64encode(places.encode()).decode()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (cloud_id("eu-west-1.aws.found.io$abc$def"), "https://abc.eu-west-1.aws.found.io:443"),
        (cloud_id("eu-west-1.aws.found.io:9243$abc$def"), "https://abc.eu-west-1.aws.found.io:9243"),
        (cloud_id("found.io:9243$abc:9244$def"), "https://abc.found.io:9244"),
        (cloud_id("found.io$abc$", "a:b:"), "https://abc.found.io:443"),
        (cloud_id("found.io$abc", ""), "https://abc.found.io:443"),
    ],
)
def test_a_cloud_id_names_its_elasticsearch(given: str, url: str) -> None:
    assert cloud_url(given) == url


@pytest.mark.parametrize("given", ["mine", "mine:???", cloud_id("nothing"), cloud_id("ü$a")])
def test_what_is_no_cloud_id_is_told(given: str) -> None:
    with pytest.raises(PLUGIN["AnsibleFilterError"], match="is no cloud id: copy it from the deployment's page"):
        cloud_url(given)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"inventory_hostname": "s"}, "s"),
        ({"inventory_hostname": "s", "ansible_host": "10.0.0.8"}, "10.0.0.8"),
        ({"inventory_hostname": "s", "ansible_host": "10.0.0.8", "elasticsearch_address": "10.1.0.8"}, "10.1.0.8"),
        ({"inventory_hostname": "s", "ansible_host": "10.0.0.8", "elasticsearch_address": ""}, "10.0.0.8"),
    ],
)
def test_a_members_address_is_the_inventorys(given: dict[str, Any], address: str) -> None:
    assert member_address(given) == address
