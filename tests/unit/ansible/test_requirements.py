"""The pinned requirements are those of pyproject.toml and what they need, and nothing floats."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
EXTRAS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        if line and not line.startswith(("#", "skerry[")):
            name, version = line.split("==")
            found[normal(name)] = version
    return found


def read(name: str) -> dict[str, str]:
    return pins((PROJECT / "requirements" / name).read_text(encoding="utf-8").splitlines())


def test_the_node_installs_exactly_its_extra() -> None:
    assert read("node.txt") == pins(EXTRAS["node"])


def test_the_controller_installs_exactly_its_extra_and_what_that_brings() -> None:
    wanted = pins(EXTRAS["node"]) | pins(EXTRAS["cli"]) | pins(EXTRAS["controller"])
    assert {name: version for name, version in read("controller.txt").items() if name in wanted} == wanted


def test_a_machine_that_joins_plays_with_the_controllers_packages() -> None:
    ours = read("controller.txt")
    assert read("join.txt") == {name: ours[name] for name in read("join.txt")}


def test_with_elasticsearch_they_are_the_controllers_and_its_extras() -> None:
    ours, wanted = read("controller.txt"), pins(EXTRAS["elastic"])
    more = {name: version for name, version in read("elastic.txt").items() if name not in ours}
    assert read("elastic.txt") == ours | more
    assert {name: version for name, version in more.items() if name in wanted} == wanted


@pytest.mark.parametrize("file", ["node.txt", "controller.txt", "join.txt", "elastic.txt"])
def test_a_list_is_complete_without_a_resolver(file: str) -> None:
    """They are installed with --no-deps: every requirement of a listed package must be listed too."""
    listed = read(file)
    for name in listed:
        for requirement in metadata.requires(name) or []:
            needed, _, marker = requirement.partition(";")
            # What is for an extra, another system or an older Python is not for us.
            if any(word in marker for word in ("extra", "platform", "python_version <", "python_full_version <")):
                continue
            match = re.match(r"[A-Za-z0-9._-]+", needed)
            assert match is not None
            if file == "join.txt" and normal(match[0]) == "cryptography":
                continue  # for vaults alone, and its play has none
            assert normal(match[0]) in listed, f"{name} needs {needed}"
