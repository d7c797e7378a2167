"""The unit that the role writes where no package brings one."""

from __future__ import annotations

from typing import Any

testinfra_hosts = ["ansible://kibana-12"]


def test_systemd_finds_nothing_wrong_with_the_units(host: Any) -> None:
    """But for the program, which is not there."""
    with host.sudo():
        said = host.run("systemd-analyze verify /etc/systemd/system/kibana.service").stderr
    assert [line for line in said.splitlines() if "is not executable" not in line and "kibana" in line] == []
