"""Three members are one cluster: it outlives any of them, takes one back from nothing, and lets no stranger in."""

from __future__ import annotations

import os
import socket
import ssl
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support.converge import Converge
from support.search_machine import STREAM, SearchMachine
from support.trust import trust_in

testinfra_hosts = ["search-1"]
MEMBERS = ("search-1", "search-2", "search-3")
WITHIN_S = 180.0


class Cluster:
    """The three of them, as clients on another machine see them."""

    def __init__(self, host: Any) -> None:
        inventory = os.environ["MOLECULE_INVENTORY_FILE"]
        self.on = {
            name: SearchMachine(host.get_host(f"ansible://{name}", ansible_inventory=inventory), first=host)
            for name in MEMBERS
        }
        self._key = self.on[MEMBERS[0]].secret("keys/shipper")

    def create(self, name: str) -> str:
        """A record, by the shipper's key; its id."""
        one = uuid.uuid4().hex
        lines = f'{{"create":{{"_id":"{one}"}}}}\n{{"@timestamp":"2026-01-01T00:00:00Z","event.id":"{one}"}}\n'
        status, answer = self.on[name].ask("POST", f"/{STREAM}/_bulk?require_data_stream=true", lines, key=self._key)
        assert status == 200, answer
        assert answer["items"][0]["create"]["status"] == 201, answer
        return one

    def members(self, name: str) -> set[str]:
        answer = self.on[name].ask("GET", "/_nodes/_all/none")[1]
        return {node["name"] for node in answer["nodes"].values()}

    def has(self, name: str, members: set[str]) -> bool:
        """Whether that is what a member knows; one that nobody leads knows none."""
        try:
            return self.members(name) == members
        except (httpx.HTTPError, KeyError):
            return False

    def is_green(self, name: str) -> bool:
        try:
            status, health = self.on[name].ask("GET", "/_cluster/health?wait_for_status=green&timeout=1s")
        except httpx.HTTPError:
            return False
        return status == 200 and health["status"] == "green" and health["number_of_nodes"] == len(MEMBERS)

    def master(self, name: str) -> str:
        answer = self.on[name].ask("GET", "/_cluster/state/master_node,nodes")[1]
        return str(answer["nodes"][answer["master_node"]]["name"])


@pytest.fixture(scope="module")
def cluster(host: Any) -> Cluster:
    return Cluster(host)


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"not within {WITHIN_S:.0f} s: {what}"
        time.sleep(1)


class Restart(NamedTuple):
    """By the clock of the kernel below, which the machines share; 0 for what has not been."""

    stopped: int
    started: int


def restarts(cluster: Cluster) -> list[Restart]:
    """The members' last ones, in the order in which they came."""
    names = ("InactiveEnterTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    return sorted(
        Restart(*(int(one.as_root("systemctl show --property %s --value elasticsearch", name)) for name in names))
        for one in cluster.on.values()
    )


def test_none_was_restarted_while_they_made_their_cluster(cluster: Cluster) -> None:
    assert [restart.stopped for restart in restarts(cluster)] == [0, 0, 0]


def test_they_are_one_cluster_and_would_elect_no_other(cluster: Cluster) -> None:
    for name in MEMBERS:
        assert cluster.members(name) == set(MEMBERS)
        assert "initial_master_nodes" not in cluster.on[name].as_root("cat /etc/elasticsearch/elasticsearch.yml")
    for name in MEMBERS[1:]:
        cluster.on[name].as_root("test ! -e /etc/skerry-elastic-authority && test ! -e /etc/skerry-elastic")
    told = cluster.on[MEMBERS[0]].secret("url")
    assert told == ",".join(f"https://{name}:9200" for name in MEMBERS)


def is_listened_to(address: str, trust: ssl.SSLContext) -> bool:
    """Whether a member goes on with a connection after its greeting."""
    try:
        with (
            socket.create_connection((address, 9300), timeout=10) as plain,
            trust.wrap_socket(plain, server_hostname=address) as stranger,
        ):
            # With TLS 1.3 the other side says so after the greeting. So long it waits for more from one it knows.
            stranger.settimeout(3)
            return bool(stranger.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False


def test_who_has_no_certificate_of_theirs_is_no_member(cluster: Cluster, tmp_path: Path) -> None:
    first = cluster.on[MEMBERS[0]]
    stranger, known = trust_in(first.authority), trust_in(first.authority)
    # A member's certificate has its name, by which members do not ask for each other.
    stranger.check_hostname = known.check_hostname = False
    own = tmp_path / "own.pem"
    own.write_text(first.as_root("cat /etc/elasticsearch/tls/server.pem"))
    known.load_cert_chain(own)
    for one in cluster.on.values():
        assert not is_listened_to(one.address, stranger)
        assert is_listened_to(one.address, known)


def test_it_outlives_its_master_and_takes_it_back_from_nothing(cluster: Cluster) -> None:
    written = [cluster.create(MEMBERS[0]) for _ in range(20)]
    until(lambda: cluster.is_green(MEMBERS[0]), "a copy of each shard")
    lost = cluster.master(MEMBERS[0])
    others = [name for name in MEMBERS if name != lost]
    cluster.on[lost].as_root("systemctl kill --signal=KILL elasticsearch; systemctl stop elasticsearch")
    # With one away the others elect another, answer, and write.
    until(lambda: cluster.has(others[0], set(others)), "that it is missed")
    assert cluster.master(others[1]) in others
    written += [cluster.create(name) for name in others for _ in range(10)]
    assert cluster.on[others[0]].ids(written) == sorted(written)

    # Reinstalled: what it held is gone, and that it was a member too.
    cluster.on[lost].as_root("rm -rf /var/lib/elasticsearch /etc/elasticsearch")
    Converge()()
    until(lambda: cluster.is_green(lost), "the member's return")
    for name in MEMBERS:
        assert cluster.members(name) == set(MEMBERS)
        assert cluster.on[name].ids(written) == sorted(written)
