"""A machine with an Elasticsearch that its role has set up, asked as a client on another machine asks it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx

from .trust import trust_in

SECRETS = "/etc/skerry-elastic"
STREAM = "logs-skerry-default"


class SearchMachine:
    """`host` is testinfra's; `first`, where it is another, the group's first one, which has what clients are told."""

    def __init__(self, host: Any, first: Any = None) -> None:
        self.host = host
        self._first = first or host
        variables = host.ansible.get_variables()
        self.name: str = variables["inventory_hostname"]
        self.address: str = variables["ansible_host"]
        self.authority = self._told("ca.crt")
        self._trust = trust_in(self.authority)
        self._superuser = ("elastic", self.secret("elastic-password"))

    def as_root(self, command: str, *arguments: str) -> str:
        return _as_root(self.host, command, *arguments)

    def secret(self, name: str) -> str:
        """Of a password or key, by its file's name."""
        return self._told(name).strip()

    def _told(self, name: str) -> str:
        return _as_root(self._first, "cat %s", f"{SECRETS}/{name}")

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """As the superuser, or with a key; a text is sent as lines of JSON."""
        headers = {"Content-Type": f"application/{'x-ndjson' if isinstance(body, str) else 'json'}"}
        if key:
            headers["Authorization"] = f"ApiKey {key}"
        with httpx.Client(verify=self._trust, timeout=30) as client:
            answer = client.request(
                method, f"https://{self.address}:9200{path}", headers=headers,
                content=body if isinstance(body, str) or body is None else json.dumps(body),
                auth=None if key else self._superuser, extensions={"sni_hostname": self.name},
            )  # fmt: skip
        return answer.status_code, answer.json()

    def search(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """All that is found of the log records, up to 10,000."""
        status, answer = self.ask("POST", f"/{STREAM}/_refresh")
        if status != 404:
            assert status == 200, answer
            status, answer = self.ask("POST", f"/{STREAM}/_search", {"query": query, "size": 10_000})
        # There is no stream before its first record.
        assert status in (200, 404), answer
        return answer["hits"]["hits"] if status == 200 else []

    def ids(self, asked: Iterable[str]) -> list[str]:
        """Which of these records are there, one that is there twice twice."""
        return sorted(hit["_id"] for hit in self.search({"ids": {"values": list(asked)}}))


def _as_root(host: Any, command: str, *arguments: str) -> str:
    with host.sudo():
        return str(host.check_output(command, *arguments))
