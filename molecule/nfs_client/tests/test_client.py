"""What can be asked of the role without a kernel that mounts: units systemd takes, refusals, no false mount."""

from __future__ import annotations

import time
from typing import Any

from support.converge import Converge

SKIP = "--skip-tags=nfs_client_service"
LOW_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def test_its_units_are_good_and_nothing_waits_for_the_mount_itself(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "systemctl daemon-reload")
        checked = host.run("systemd-analyze verify /etc/systemd/system/srv-skerry.mount")
        assert checked.rc == 0, checked.stderr
        shown = host.check_output("systemctl show srv-skerry.mount skerry-share.service -p Options,Requires,WantedBy")
    assert "vers=4.2" in shown
    assert "hard" in shown


def test_it_goes_on_trying_and_says_so_once(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "systemctl start --no-block skerry-share.service")
        time.sleep(8)
        assert host.check_output("systemctl is-active skerry-share.service || true") == "activating"
        said = host.check_output("journalctl --unit skerry-share.service --output cat").splitlines()
        host.run_expect([0], "systemctl stop skerry-share.service")
    assert len([line for line in said if "cannot be mounted" in line]) == 1


def test_a_planted_difference_is_told_and_mended(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "sed -i s/,hard,/,soft,/ /etc/systemd/system/srv-skerry.mount")
    told = Converge()("--check", "--diff", SKIP)
    assert told.changed == ["Write the units of the share"]
    assert Converge()(SKIP).changed == ["Write the units of the share"]
    assert Converge()("--check", SKIP).changed == []


def test_a_kernel_without_a_client_is_refused_with_words(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "mv /lib/modules /lib/modules.away")
    try:
        told = " ".join(Converge().refused("--check").split())
    finally:
        with host.sudo():
            host.run_expect([0], "mv /lib/modules.away /lib/modules")
    assert "cannot mount NFS" in told
    assert "hand the directory to the container" in told


def test_low_ports_that_are_anybodys_are_refused(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], f"mount -o remount,rw /proc/sys && echo 0 > {LOW_PORTS}")
    try:
        assert "ip_unprivileged_port_start" in Converge().refused("--check")
    finally:
        with host.sudo():
            host.run_expect([0], f"echo 1024 > {LOW_PORTS}")


def test_files_that_the_mount_would_hide_are_refused(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "touch /srv/skerry/mine")
    try:
        assert "which the share would hide" in " ".join(Converge().refused("--check").split())
    finally:
        with host.sudo():
            host.run_expect([0], "rm /srv/skerry/mine")


def test_a_source_that_is_none_is_refused() -> None:
    for source in ("10.0.0.6", "10.0.0.6:srv", "host;id:/srv", "fd00::6:/srv"):
        assert "HOST:/PATH" in Converge().refused("--check", f"--extra-vars=nfs_client_source={source}")
