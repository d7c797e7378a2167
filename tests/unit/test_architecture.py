"""docs/architecture.md names the rooms there are, in the order in which imports run."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")


def documented() -> list[str]:
    table = PAGE.partition("| room | holds |")[2].partition("\n\n")[0]
    return [name for line in table.splitlines() for name in re.findall(r"`([\w.]+)`", line.partition(" | ")[0])]


def test_the_table_of_rooms_is_what_lint_holds() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(PROJECT / ".importlinter")
    layers = contracts["importlinter:contract:layers"]["layers"]
    assert documented() == re.findall(r"[\w.]+", layers)


def test_every_room_of_the_control_plane_is_named() -> None:
    found = {
        f"webfront.{path.name.removesuffix('.py')}"
        for path in (PROJECT / "webfront").iterdir()
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert found - {"webfront.cli"} <= set(documented())
    assert all(f"`{name}`" in PAGE for name in ("webfront.cli", "node_scripts", "dispatch", "embedded"))


def test_no_file_of_the_wire_or_the_control_plane_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(PROJECT)): lines
        for room in ("wire", "webfront", "dispatch", "node_scripts/dispatched")
        for path in (PROJECT / room).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long
