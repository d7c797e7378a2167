"""One version, in one place: `wire.VERSION`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from webfront.cli import main
from wire import VERSION

PROJECT = Path(__file__).resolve().parents[3]


def test_the_package_takes_it_from_there() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "wire.VERSION"}
    assert metadata.version("skerry") == VERSION


def test_the_command_and_the_api_say_it(
    capsys: pytest.CaptureFixture[str], browse: Callable[..., httpx.Client]
) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"skerry {VERSION}\n"
    assert browse("ada").get("/api/v1/openapi.json").json()["info"]["version"] == VERSION


def test_nothing_else_of_the_code_states_it() -> None:
    places = [PROJECT / "pyproject.toml"]
    for package in ("wire", "node_scripts", "webfront", "embedded"):
        places += (PROJECT / package).rglob("*.py")
    stating = [str(path.relative_to(PROJECT)) for path in places if f'"{VERSION}"' in path.read_text(encoding="utf-8")]
    assert stating == ["wire/__init__.py"]


def test_the_newest_of_the_changes_is_it() -> None:
    headings = re.findall(r"^## (\S+)", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == VERSION
