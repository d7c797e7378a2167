"""What nfs-ganesha has in force, as it says over D-Bus: who may do what, and that it serves again after a fault."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.converge import Converge

testinfra_hosts = ["ansible://all"]
CONFIG = "/etc/ganesha/ganesha.conf"
EXPORTS = "/etc/ganesha/skerry.exports.conf"
IN_FORCE = (
    "dbus-send --system --print-reply --dest=org.ganesha.nfsd /org/ganesha/nfsd/ExportMgr"
    " org.ganesha.nfsd.exportmgr.DisplayExport uint16:1"
)


@pytest.fixture(autouse=True)
def _no_nodes(host: Any) -> Iterator[None]:
    yield
    with host.sudo():
        host.run("skerry-exports remove edge")


def clients(host: Any) -> set[str]:
    """To whom it exports now, by its own word."""
    with host.sudo():
        told = host.run_expect([0], IN_FORCE).stdout
    return set(re.findall(r'string "([0-9a-f.:]+)/(?:32|128)"', told))


def soon(host: Any, wanted: set[str]) -> bool:
    """Whether that comes into force within 5 s: it reads its exports when it is told to, beside its work."""
    until = time.monotonic() + 5
    while (found := clients(host)) != wanted and time.monotonic() < until:
        time.sleep(0.1)
    return found == wanted


def test_a_node_comes_and_goes_without_a_restart(host: Any) -> None:
    before = host.service("nfs-ganesha").systemd_properties["MainPID"]
    with host.sudo():
        added = host.run_expect([0], "skerry-exports add edge 10.0.1.11 fd00::11")
    assert json.loads(added.stdout)["changed"] is True
    assert soon(host, {"10.0.0.4", "10.0.1.11", "fd00::11"})
    with host.sudo():
        host.run_expect([0], "skerry-exports remove edge")
    assert soon(host, {"10.0.0.4"})
    assert host.service("nfs-ganesha").systemd_properties["MainPID"] == before


def test_nothing_but_its_port_is_open(host: Any) -> None:
    assert host.socket("tcp://0.0.0.0:2049").is_listening or host.socket("tcp://:::2049").is_listening
    with host.sudo():
        ports = {line.split()[3].rpartition(":")[2] for line in host.check_output("ss -Hlntu").splitlines()}
    assert {"111", "20048"}.isdisjoint(ports)
    assert not [line for line in host.check_output("ss -Hlnu").splitlines() if ":2049" in line]


def test_one_that_ends_is_started_again(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "systemctl kill --signal=KILL nfs-ganesha")
        until = time.monotonic() + 20
        while host.run(IN_FORCE).rc != 0:
            assert time.monotonic() < until
            time.sleep(0.2)
    assert clients(host) == {"10.0.0.4"}


def test_a_planted_difference_is_told_and_mended_and_nodes_stay(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "skerry-exports add edge 10.0.1.11")
        host.run_expect([0], "sed -i s/Root_Squash/No_Root_Squash/ %s", EXPORTS)
        host.run_expect([0], "sed -i 's/Minor_Versions = 2/Minor_Versions = 0, 1, 2/' %s", CONFIG)
    limit = f"--limit={host.backend.host}"
    expected = ["Write the server's settings", "Export the share to controllers and nodes", Converge.RESTART]
    told = Converge()("--check", "--diff", limit)
    assert told.changed == expected
    assert "+    Minor_Versions = 2;" in told.output
    assert "No_Root_Squash" in host.file(EXPORTS).content_string
    assert Converge()(limit).changed == expected
    assert soon(host, {"10.0.0.4", "10.0.1.11"})
    assert Converge()("--check", limit).changed == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('{"nfs_server_kind": "kernel"}', "has no NFS server"),
        ('{"nfs_server_listen": ["10.0.0.1", "10.0.0.2"], "nfs_server_kind": "ganesha"}', "one of the latter"),
        ('{"nfs_server_dir": "/var/skerry"}', "cannot be exported"),
    ],
)
def test_what_cannot_work_is_refused_with_words(host: Any, given: str, words: str) -> None:
    limit = f"--limit={host.backend.host}"
    assert words in " ".join(Converge().refused("--check", f"--extra-vars={given}", limit).split())
