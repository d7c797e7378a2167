"""How the module `skerry_node` calls `skerry-admin`, here a script; tests/integration has the real one."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.ansible_module import LIBRARY, run_module

PASSWORD = "a password; of $odd 'characters'"


@pytest.fixture
def admin(tmp_path: Path) -> Path:
    """Writes down its arguments, and for an admission what it was told on standard input."""
    script = tmp_path / "skerry-admin"
    answer = (
        '{"changed": true, "state": "active", "row_created": false, "broker_changed": true, "state_changed": true, '
    )
    answer += '"events_per_second": 5230.5}'
    script.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> {tmp_path}/calls\n"
        f"[ \"$1\" != node-admit ] || cat > {tmp_path}/told\necho '{answer}'\n"
    )
    script.chmod(0o755)
    return script


def calls(admin: Path) -> list[str]:
    return (admin.parent / "calls").read_text().splitlines()


def test_a_password_goes_by_standard_input_and_into_no_result(admin: Path) -> None:
    result = run_module(
        "skerry_node", name="edge", state="admitted", password=PASSWORD, command=str(admin), labels=["$HOME", "gpu"]
    )
    assert (admin.parent / "told").read_text().strip() == PASSWORD
    assert PASSWORD not in str(result)
    assert calls(admin) == [
        "node-show edge",
        "node-admit edge --connection=ssh --address= --ssh-port=22 --ssh-user=root --labels=$HOME,gpu --slots=1",
    ]


@pytest.mark.parametrize(
    ("state", "real", "check"),
    [
        ("present", ["node-show edge", "node-wait edge --timeout=7"], ["node-show edge"]),
        (
            "measured",
            ["node-show edge", "node-benchmark edge --timeout=7"],
            ["node-show edge", "node-benchmark edge --timeout=7 --check"],
        ),
        (
            "registered",
            ["node-show edge", "node-register edge --timeout=7"],
            ["node-show edge", "node-register edge --timeout=7 --check"],
        ),
        (
            "drained",
            ["node-show edge", "node-drain edge --timeout=7"],
            ["node-show edge", "node-drain edge --timeout=7 --check"],
        ),
        ("absent", ["node-show edge", "node-dismiss edge"], ["node-show edge", "node-dismiss edge --check"]),
    ],
)
def test_each_state_is_one_command(admin: Path, state: str, real: list[str], check: list[str]) -> None:
    run_module("skerry_node", name="edge", state=state, timeout_s=7, command=str(admin))
    assert calls(admin) == real
    (admin.parent / "calls").unlink()
    run_module("skerry_node", check=True, name="edge", state=state, timeout_s=7, command=str(admin))
    assert calls(admin) == check


def test_what_is_known_of_a_machine_without_an_agent_is_one_command(admin: Path) -> None:
    given: dict[str, Any] = {"name": "edge", "state": "agentless", "root": "/var/lib/x", "python": "/usr/bin/python3"}
    run_module("skerry_node", **given, as_root=False, command=str(admin))
    row = "--address= --ssh-port=22 --ssh-user=root --labels= --slots=1"
    known = f"node-agentless edge {row} --root=/var/lib/x --python=/usr/bin/python3"
    assert calls(admin) == ["node-show edge", f"{known} --as-user"]
    (admin.parent / "calls").unlink()
    run_module("skerry_node", check=True, **given, command=str(admin))
    assert calls(admin) == ["node-show edge", f"{known} --check"]
    del given["root"]
    assert "root" in run_module("skerry_node", **given, command=str(admin))["msg"]


def test_an_admission_needs_a_password(admin: Path) -> None:
    assert "password" in run_module("skerry_node", name="edge", state="admitted", command=str(admin))["msg"]


def test_what_cannot_be_read_is_shown(tmp_path: Path) -> None:
    script = tmp_path / "skerry-admin"
    script.write_text("#!/bin/sh\necho 'no such module: webfront' >&2\nexit 1\n")
    script.chmod(0o755)
    result = run_module("skerry_node", name="edge", command=str(script))
    assert "no such module: webfront" in result["msg"]


@pytest.mark.parametrize("module", sorted(path.stem for path in LIBRARY.glob("*.py")))
def test_a_modules_page_tells_every_option(module: str) -> None:
    tree = ast.parse((LIBRARY / f"{module}.py").read_text())
    texts: dict[str, Any] = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    page = yaml.safe_load(texts["DOCUMENTATION"])
    # A wrong call answers with every argument that the module takes.
    required: dict[str, Any] = {
        name: option.get("choices", ["x"])[0] for name, option in page["options"].items() if option.get("required")
    }
    taken = run_module(module, no_such_option=True, **required)
    assert "Supported parameters include: " in taken["msg"]
    supported = taken["msg"].partition("Supported parameters include: ")[2].rstrip(".")
    assert {name.split(" ")[0] for name in supported.split(", ")} == set(page["options"])
    for one in yaml.safe_load(texts["EXAMPLES"]):
        assert set(one[module]) <= set(page["options"])
    assert yaml.safe_load(texts["RETURN"])


def test_how_old_a_heartbeat_may_be_is_passed_on(admin: Path) -> None:
    run_module(
        "skerry_node", name="edge", state="present", heartbeat_age_s=15, agent_version="0.2.0", timeout_s=7,
        command=str(admin),
    )  # fmt: skip
    assert calls(admin)[-1] == "node-wait edge --timeout=7 --agent-version=0.2.0 --age=15"
