"""Who may mount the share, and who may say so: files, command, and the controller's key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra
from support.converge import Converge

testinfra_hosts = ["ansible://files-13"]
EXPORTS = "/etc/exports.d/skerry.exports"


@pytest.fixture
def controller(host: Any) -> Any:
    """The other machine, as the platform's user."""
    return testinfra.get_host("ansible://steward-12", ansible_inventory=host.backend.ansible_inventory)


@pytest.fixture(autouse=True)
def _no_nodes(host: Any) -> Iterator[None]:
    yield
    with host.sudo():
        for name in ("edge", "other"):
            host.run("skerry-exports remove %s", name)


def run(controller: Any, command: str) -> Any:
    """Run it as the platform's user. SSH's own 255 comes as 254: the test's connection would seem to have ended."""
    with controller.sudo("skerry"):
        return controller.run(command + " || { status=$?; [ $status != 255 ] || exit 254; exit $status; }")


def ask(controller: Any, words: str) -> Any:
    """What the controller's own command answers to the platform's user."""
    return run(controller, f"skerry-exports {words}")


def clients(host: Any) -> list[str]:
    lines = [line for line in host.file(EXPORTS).content_string.splitlines() if line.startswith('"')]
    assert len(lines) == 1
    path, *found = lines[0].split(" ")
    assert path == '"/srv/skerry"'
    assert {one.partition("(")[2] for one in found} == {"rw,sync,secure,root_squash,no_subtree_check,sec=sys)"}
    return [one.partition("(")[0] for one in found]


def test_the_controller_adds_and_removes_a_node(host: Any, controller: Any) -> None:
    added = ask(controller, "add edge 10.0.1.11 fd00::11")
    assert added.rc == 0, added.stderr
    assert json.loads(added.stdout)["changed"] is True
    assert clients(host) == ["10.0.0.4", "10.0.1.11", "fd00::11"]
    assert json.loads(ask(controller, "add edge 10.0.1.11 fd00::11").stdout)["changed"] is False
    assert json.loads(ask(controller, "list").stdout)["nodes"] == {"edge": ["10.0.1.11", "fd00::11"]}
    assert json.loads(ask(controller, "remove edge").stdout)["changed"] is True
    assert clients(host) == ["10.0.0.4"]


@pytest.mark.parametrize(
    "words",
    ["add edge 0.0.0.0/0", "add edge '*'", "apply", "'list; id'", "'$(id)'", "add edge", "add '../x' 10.0.0.9", ""],
)
def test_it_can_say_nothing_else(host: Any, controller: Any, words: str) -> None:
    refused = ask(controller, words)
    assert refused.rc == 2, refused.stdout + refused.stderr
    assert "uid=" not in refused.stdout + refused.stderr
    assert clients(host) == ["10.0.0.4"]


def test_its_key_opens_no_shell_and_no_way_through(host: Any, controller: Any) -> None:
    address = host.ansible.get_variables()["ansible_host"]
    plain = (
        "ssh -F none -i /var/lib/skerry/exports/id_ed25519 -o UserKnownHostsFile=/var/lib/skerry/exports/known_hosts"
        f" -o HostKeyAlias=file-server -o BatchMode=yes {{}} skerry-exports@{address} {{}}"
    )
    assert run(controller, plain.format("-T", "sh")).rc == 2
    terminal = run(controller, plain.format("-tt", "list"))
    assert "PTY allocation request failed" in terminal.stderr
    forwarded = run(controller, plain.format("-o ExitOnForwardFailure=yes -R 9999:127.0.0.1:22", "list"))
    assert forwarded.rc == 254, forwarded.stderr
    copied = run(
        controller,
        "sftp -b /dev/null -F none -i /var/lib/skerry/exports/id_ed25519 -o HostKeyAlias=file-server"
        f" -o UserKnownHostsFile=/var/lib/skerry/exports/known_hosts skerry-exports@{address}",
    )
    assert copied.rc != 0


def test_the_account_may_run_the_one_command_and_change_nothing_of_its_own(host: Any) -> None:
    with host.sudo("skerry-exports"):
        assert host.run("sudo -n id").rc != 0
        assert host.run("touch /etc/skerry-exports/.ssh/authorized_keys").rc != 0
        assert host.run("sudo -n /usr/local/sbin/skerry-exports list").rc == 0


def test_a_key_is_the_platforms_users_alone(controller: Any) -> None:
    with controller.sudo():
        key = controller.file("/var/lib/skerry/exports/id_ed25519")
        assert (key.user, key.mode) == ("skerry", 0o600)


def test_another_host_key_is_not_the_file_server(controller: Any) -> None:
    known = "/var/lib/skerry/exports/known_hosts"
    with controller.sudo():
        before = controller.file(known).content_string
        controller.run_expect([0], "ssh-keygen -q -t ed25519 -N '' -f /root/another")
        controller.run_expect([0], "sed 's/^/file-server /' /root/another.pub > %s", known)
    try:
        refused = ask(controller, "list")
        assert refused.rc == 254
        assert "host key verification failed" in refused.stderr.lower()
    finally:
        with controller.sudo():
            controller.run_expect([0], "printf '%%s' %s > %s", before, known)


def test_the_share_is_closed_and_its_owners(host: Any) -> None:
    share = host.file("/srv/skerry")
    assert (share.uid, share.gid, share.mode) == (60590, 60590, 0o711)


def test_a_planted_difference_is_told_and_mended_and_nodes_stay(host: Any, controller: Any) -> None:
    ask(controller, "add edge 10.0.1.11")
    with host.sudo():
        host.run_expect([0], "sed -i s/root_squash/no_root_squash/ %s", EXPORTS)
        host.run_expect([0], "sed -i s/vers3=n/vers3=y/ /etc/nfs.conf.d/skerry.conf")
    expected = ["Write the server's settings", "Export the share to controllers and nodes"]
    told = Converge()("--check", "--diff", "--skip-tags=nfs_server_service")
    assert told.changed == expected
    assert "+vers3=n" in told.output
    assert "no_root_squash" in host.file(EXPORTS).content_string
    assert Converge()("--skip-tags=nfs_server_service").changed == expected
    assert clients(host) == ["10.0.0.4", "10.0.1.11"]
    assert Converge()("--check", "--skip-tags=nfs_server_service").changed == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('{"nfs_server_dir": "/var/skerry"}', "cannot be exported"),
        ('{"nfs_server_uid": 0}', "root is squashed"),
        ('{"nfs_server_uid": 33}', "belongs to the user www-data"),
        ('{"nfs_server_clients": ["*"]}', "neither names nor networks"),
        # Of a container, whose root may not what it would need for that.
        ('{"nfs_server_kind": "ganesha"}', "--cap-add=DAC_READ_SEARCH"),
    ],
)
def test_what_cannot_work_is_refused_with_words(given: str, words: str) -> None:
    assert words in " ".join(Converge().refused("--check", f"--extra-vars={given}", "--limit=files-13").split())


def test_a_kernel_without_a_server_is_refused_with_words(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "mv /lib/modules /lib/modules.away")
    try:
        given = '{"nfs_server_kind": "kernel"}'
        told = " ".join(Converge().refused("--check", "--limit=files-13", f"--extra-vars={given}").split())
    finally:
        with host.sudo():
            host.run_expect([0], "mv /lib/modules.away /lib/modules")
    assert "has no NFS server" in told
    assert "linux-image-cloud-amd64" in told
