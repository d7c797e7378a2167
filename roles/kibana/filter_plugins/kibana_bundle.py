"""A file of saved objects, by what an import has to know of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def kibana_bundle(text: str) -> dict[str, Any]:
    """Its objects' names, as Kibana's export takes them, and the fingerprint that the tag among them tells."""
    objects = [json.loads(line) for line in text.splitlines()]
    (fingerprint,) = (one["attributes"]["description"] for one in objects if one["type"] == "tag")
    return {"names": [{"type": one["type"], "id": one["id"]} for one in objects], "fingerprint": fingerprint}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"kibana_bundle": kibana_bundle}
