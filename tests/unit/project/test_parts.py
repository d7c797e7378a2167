"""The parts of ./test: each has a limit and a lane, and a lane's limits fit into what a run may take."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hosts.roles import role_of, used_by

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = (PROJECT / "test").read_text(encoding="utf-8")
MOST_S = 90 * 60


def table(name: str) -> dict[str, str]:
    found = re.search(rf"declare -A {name}=\((.*?)\)", SCRIPT, re.DOTALL)
    assert found is not None
    return dict(re.findall(r"\[(\w+)\]=(\w+)", found[1]))


def test_each_part_has_a_limit_a_lane_and_a_line_in_the_head() -> None:
    found = re.search(r"all_parts=\((.*?)\)", SCRIPT)
    assert found is not None
    parts = found[1].split()
    assert parts == list(table("limits")) == list(table("lanes"))
    assert re.findall(r"^#   (\w+) ", SCRIPT, re.MULTILINE) == parts


def test_the_limits_of_a_lane_fit_into_a_run() -> None:
    limits, lanes = table("limits"), table("lanes")
    for lane in set(lanes.values()):
        # `vm` is run by `./test all` alone, which may take longer.
        assert sum(int(limits[part]) for part in limits if lanes[part] == lane and part != "vm") <= MOST_S


def test_a_part_that_is_none_is_refused_and_nothing_is_touched() -> None:
    done = subprocess.run(["./test", "lint", "units"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no part named units" in done.stderr
    assert done.stdout == ""


def test_a_long_scenario_is_a_scenario() -> None:
    found = re.search(r"^long_scenarios=\((.*?)\)", SCRIPT, re.MULTILINE)
    assert found is not None
    assert found[1]
    assert [name for name in found[1].split() if not (PROJECT / "molecule" / name / "molecule.yml").is_file()] == []


def test_a_role_is_known_with_those_it_uses() -> None:
    assert used_by("webfront") == {"webfront", "skerry_code", "process_manager"}
    assert used_by("site") == set()


def test_a_scenario_is_its_roles_though_it_has_a_longer_name() -> None:
    assert role_of("nfs_server") == "nfs_server"
    assert role_of("nfs_server_ganesha") == "nfs_server"
    assert role_of("rabbitmq_cluster") == "rabbitmq"
    assert used_by(role_of("site")) == set()
