"""Three members are one cluster: it outlives any of them, takes one back from nothing, and lets no stranger in."""

from __future__ import annotations

import json
import os
import shlex
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

testinfra_hosts = ["search-1"]
MEMBERS = ("search-1", "search-2", "search-3")
STREAM = "logs-skerry-default"
WITHIN_S = 120.0


class Cluster:
    """The three of them, as a client on another machine sees them."""

    def __init__(self, host: Any, folder: Path) -> None:
        self._inventory: str = host.backend.ansible_inventory
        self._hosts = {name: host.get_host(f"ansible://{name}?ansible_inventory={self._inventory}") for name in MEMBERS}
        self.addresses = {name: str(one.ansible.get_variables()["ansible_host"]) for name, one in self._hosts.items()}
        self.ca_file = folder / "ca.crt"
        self.ca_file.write_text(self.run("search-1", "cat /etc/skerry-elastic/ca.crt"))
        self._password = self.run("search-1", "cat /etc/skerry-elastic/elastic-password").strip()
        self.key = self.run("search-1", "cat /etc/skerry-elastic/keys/shipper").strip()

    def run(self, name: str, command: str) -> str:
        with self._hosts[name].sudo():
            return str(self._hosts[name].check_output(command))

    def ask(self, name: str, method: str, path: str, content: str | None = None, *, as_key: bool = False) -> Any:
        headers = {"Content-Type": "application/x-ndjson" if content else "application/json"}
        if as_key:
            headers["Authorization"] = f"ApiKey {self.key}"
        with httpx.Client(verify=ssl.create_default_context(cafile=str(self.ca_file)), timeout=30) as client:
            answer = client.request(
                method, f"https://{self.addresses[name]}:9200{path}", content=content, headers=headers,
                auth=None if as_key else ("elastic", self._password),
            )  # fmt: skip
        answer.raise_for_status()
        return answer.json()

    def create(self, name: str) -> str:
        """A record, by the shipper's key; its id."""
        one = uuid.uuid4().hex
        lines = f'{{"create":{{"_id":"{one}"}}}}\n{{"@timestamp":"2026-01-01T00:00:00Z","event.id":"{one}"}}\n'
        answer = self.ask(name, "POST", f"/{STREAM}/_bulk?require_data_stream=true", lines, as_key=True)
        assert answer["items"][0]["create"]["status"] == 201, answer
        return one

    def found(self, name: str, ids: list[str]) -> int:
        self.ask(name, "POST", f"/{STREAM}/_refresh")
        query = json.dumps({"query": {"ids": {"values": ids}}})
        return int(self.ask(name, "POST", f"/{STREAM}/_count", query)["count"])

    def members(self, name: str) -> set[str]:
        nodes = self.ask(name, "GET", "/_nodes/_all/none")["nodes"]
        return {node["name"] for node in nodes.values()}

    def is_green(self, name: str) -> bool:
        try:
            health = self.ask(name, "GET", "/_cluster/health?wait_for_status=green&wait_for_nodes=3&timeout=1s")
        except httpx.HTTPError:
            return False
        return health["status"] == "green" and health["number_of_nodes"] == 3

    def converge(self, *options: str) -> str:
        """The role again, as by an administrator."""
        playbook = Path(__file__).parents[2] / "elasticsearch/converge.yml"
        command = ["ansible-playbook", "-i", self._inventory, str(playbook), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}{done.stderr[-1000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def cluster(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(host, tmp_path_factory.mktemp("cluster"))


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"not within {WITHIN_S:.0f} s: {what}"
        time.sleep(1)


def test_they_are_one_cluster_and_would_elect_no_other(cluster: Cluster) -> None:
    for name in MEMBERS:
        assert cluster.members(name) == set(MEMBERS)
        assert "initial_master_nodes" not in cluster.run(name, "cat /etc/elasticsearch/elasticsearch.yml")
    for name in MEMBERS[1:]:
        cluster.run(name, "test ! -e /etc/skerry-elastic-authority && test ! -e /etc/skerry-elastic")
    told = cluster.run("search-1", "cat /etc/skerry-elastic/url").strip()
    assert told == ",".join(f"https://{address}:9200" for address in cluster.addresses.values())


def is_listened_to(address: str, trust: ssl.SSLContext) -> bool:
    """Whether a member goes on with a connection after its greeting."""
    try:
        with (
            socket.create_connection((address, 9300), timeout=10) as plain,
            trust.wrap_socket(plain, server_hostname=address) as encrypted,
        ):
            # With TLS 1.3 the other side refuses after the greeting. From one that it knows it waits for more.
            encrypted.settimeout(3)
            return bool(encrypted.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False


def test_who_has_no_certificate_of_theirs_is_no_member(cluster: Cluster, tmp_path: Path) -> None:
    trust = ssl.create_default_context(cafile=str(cluster.ca_file))
    known = ssl.create_default_context(cafile=str(cluster.ca_file))
    own = tmp_path / "own.pem"
    own.write_text(cluster.run("search-1", "cat /etc/elasticsearch/tls/server.pem"))
    known.load_cert_chain(own)
    for address in cluster.addresses.values():
        assert not is_listened_to(address, trust)
        assert is_listened_to(address, known)


def test_it_outlives_a_member_and_takes_one_back_from_nothing(cluster: Cluster) -> None:
    written = [cluster.create("search-1") for _ in range(20)]
    until(lambda: cluster.is_green("search-1"), "a copy of each shard")
    cluster.run("search-2", "systemctl kill --signal=KILL elasticsearch; systemctl stop elasticsearch")
    # With one away the others answer, and write.
    until(lambda: cluster.members("search-3") == {"search-1", "search-3"}, "that it is missed")
    written += [cluster.create("search-3") for _ in range(20)]
    assert cluster.found("search-1", written) == 40

    # Reinstalled: what it held is gone, and that it was a member too.
    cluster.run("search-2", "rm -rf /var/lib/elasticsearch /etc/elasticsearch")
    cluster.converge()
    until(lambda: cluster.is_green("search-2"), "the member's return")
    assert cluster.members("search-1") == set(MEMBERS)
    assert cluster.found("search-2", written) == 40


def test_a_changed_setting_restarts_one_after_the_other(cluster: Cluster) -> None:
    written: list[str] = []
    running = subprocess.Popen(
        ["ansible-playbook", "-i", cluster._inventory, str(Path(__file__).parents[2] / "elasticsearch/converge.yml"),
         "--extra-vars", "elasticsearch_heap_mb=520"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    # Somebody who has something to tell asks the next one where one does not answer.
    while running.poll() is None:
        for name in MEMBERS:
            try:
                written.append(cluster.create(name))
                break
            except (httpx.HTTPError, AssertionError):
                continue
        else:
            time.sleep(0.2)
        time.sleep(0.2)
    said = running.stdout.read() if running.stdout else ""
    assert running.returncode == 0, said[-4000:]
    for name in MEMBERS:
        assert "-Xmx520m" in cluster.run(name, "cat /etc/elasticsearch/jvm.options.d/skerry.options")
        assert "-Xmx520m" in cluster.run(name, "ps -eo args")
    assert written
    assert cluster.found("search-1", written[-1000:]) == len(written[-1000:])
