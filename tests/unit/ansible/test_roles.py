"""The roles keep what they promise on paper: each variable is specified, with the default that it has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: str) -> dict[str, dict[str, Any]]:
    """What the role may be given, whichever of its task files is called."""
    found: dict[str, dict[str, Any]] = {}
    for entry, specification in load(PROJECT / "roles" / role / "meta/argument_specs.yml")["argument_specs"].items():
        assert (PROJECT / "roles" / role / "tasks" / f"{entry}.yml").exists(), entry
        for name, option in specification["options"].items():
            assert found.setdefault(name, option) == option, f"{entry} and another say different things of {name}"
    return found


def required(role: str) -> set[str]:
    """What the role must be given when it is used as a whole."""
    specified = load(PROJECT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return {name for name, option in specified.items() if option.get("required")}


def sources(role: str) -> str:
    """Every task, template, handler, variable file and filter of a role, as text."""
    folders = ("tasks", "templates", "handlers", "vars", "filter_plugins")
    files = [path for folder in folders for path in (PROJECT / "roles" / role / folder).rglob("*") if path.is_file()]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_specification(role: str) -> None:
    specified = options(role)
    assert load(PROJECT / "roles" / role / "defaults/main.yml") == {
        name: option["default"] for name, option in specified.items() if "default" in option
    }
    for name, option in specified.items():
        assert "default" in option or option.get("required") is True, name
        assert option.get("description"), name
        assert "choices" not in option or "default" not in option or option["default"] in option["choices"], name


@pytest.mark.parametrize("role", ROLES)
def test_each_variable_is_specified_and_used(role: str) -> None:
    text = re.sub(r"tags: \[.*\]", "", sources(role))
    used = set(re.findall(rf"(?<![A-Za-z0-9_]){role}_[a-z0-9_]+", text))
    # A plugin of the broker's, a filter of ours, a fact that a role leaves for its caller.
    used -= {
        "rabbitmq_management",
        "rabbitmq_password_hash",
        "rabbitmq_peer",
        "kibana_bundle",
        "skerry_code_release",
        "process_manager_kept",
    }
    assert used == set(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_a_password_is_asked_for_and_never_shown(role: str) -> None:
    for name, option in options(role).items():
        if name.endswith("password"):
            assert option.get("no_log") is True, name
            assert option.get("default", "") == "", name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_how_it_is_used(role: str) -> None:
    readme = (PROJECT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert "meta/argument_specs.yml" in readme
    example = load_example(readme)
    assert role in [one["role"] for play in example for one in play["roles"]]
    given = {name for play in example for one in play["roles"] for name in one.get("vars", {})}
    assert required(role) <= given
    assert given <= set(options(role))


def load_example(readme: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(readme.split("```yaml\n")[1].split("```")[0])
    return found


def test_inventories_set_no_variable_that_a_role_does_not_know() -> None:
    known = {name for role in ROLES for name in options(role)}
    for path in (PROJECT / "inventories").glob("*/group_vars/**/*.yml"):
        for name in load(path):
            if name.startswith(tuple(f"{role}_" for role in ROLES)):
                assert name in known, f"{path}: {name}"


def test_operating_tells_every_switch_of_the_embedded_platform() -> None:
    text = (PROJECT / "docs/operating.md").read_text(encoding="utf-8")
    inventory = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "inventories/embedded").rglob("*.yml"))
    for name in set(re.findall(r"'(SKERRY_[A-Z_]+)'", inventory)):
        assert f"`{name}`" in text, name


def test_operating_names_every_role_and_playbook() -> None:
    text = (PROJECT / "docs/operating.md").read_text(encoding="utf-8")
    for role in ROLES:
        assert f"roles/{role}" in text
    for playbook in (PROJECT / "playbooks").glob("*.yml"):
        assert f"`{playbook.name}`" in text


def test_little_is_left_out_in_check_mode() -> None:
    """What is left out there cannot show what would change: commands can be asked with --check, modules know it."""
    files = [path for folder in ("roles", "playbooks") for path in (PROJECT / folder).rglob("*.yml")]
    left_out = [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if "not ansible_check_mode" in line
    ]
    assert len(left_out) <= 15, "\n".join(left_out)
