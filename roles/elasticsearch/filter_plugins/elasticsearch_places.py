"""Where an Elasticsearch is: a member of a cluster by the inventory, and one of Elastic Cloud by its cloud id."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def elastic_cloud_url(cloud_id: str) -> str:
    """Its URL: an id is a name and, after a colon, base64 of `HOST[:PORT]$ELASTICSEARCH[:PORT]$KIBANA`."""
    try:
        host, own, *_ = base64.b64decode(cloud_id.rpartition(":")[2], validate=True).decode("ascii").split("$")
    except (binascii.Error, ValueError) as error:
        raise AnsibleFilterError(
            "elasticsearch_cloud_id is no cloud id: copy it from the deployment's page at Elastic, NAME:LETTERS"
        ) from error
    domain, _, shared_port = host.partition(":")
    name, _, own_port = own.partition(":")
    return f"https://{name}.{domain}:{own_port or shared_port or '443'}"


def elastic_member_address(variables: Mapping[str, Any]) -> str:
    """A member's address for the others and for clients."""
    named = variables.get("elasticsearch_address") or variables.get("ansible_host") or variables["inventory_hostname"]
    return str(named)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"elastic_cloud_url": elastic_cloud_url, "elastic_member_address": elastic_member_address}
