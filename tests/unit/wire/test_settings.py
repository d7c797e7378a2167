"""Settings of both sides: one reader, every variable known and documented, a misspelt one told."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest

from node_scripts.settings import NodeSettings
from webfront.settings import Settings
from wire.settings import KNOWN, LogLevel, SettingsError, Variable, misspelt, read, variables

PROJECT = Path(__file__).resolve().parents[3]
DOCUMENT = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = ("wire", "node_scripts", "webfront", "embedded", "benchmarks", "tests")
PLACES = (*PACKAGES, "roles", "playbooks", "inventories", "quickstart", "test", "bench")
OTHER_PROGRAMS = {"logstash", "kibana", "test_logstash.py"}
"""About programs whose own settings refer to variables that nothing of Skerry reads."""


@dataclasses.dataclass(frozen=True)
class Inner:
    weight: float = 1.0


@dataclasses.dataclass(frozen=True)
class Example:
    name: Annotated[str, Variable("LABEL", pattern="[a-z]+", form="lower-case letters")]
    folder: Path | None = None
    count: Annotated[int, Variable(least=1, most=9)] = 3
    loud: bool = False
    level: LogLevel = "INFO"
    inner: Inner = Inner()


def test_a_field_is_read_as_its_type_says() -> None:
    environ = {"SKERRY_LABEL": " a ", "SKERRY_FOLDER": "/x", "SKERRY_COUNT": "4", "SKERRY_LOUD": "yes"}
    environ |= {"SKERRY_LEVEL": "debug", "SKERRY_INNER_WEIGHT": "0.5"}
    assert read(Example, environ) == Example("a", Path("/x"), 4, True, "DEBUG", Inner(0.5))
    assert read(Example, {"SKERRY_LABEL": "a", "SKERRY_COUNT": " "}, count=5) == Example("a", count=5)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("LABEL", "A", "lower-case letters"),
        ("FOLDER", "x", "an absolute path"),
        ("COUNT", "0", "a whole number from 1 to 9"),
        ("COUNT", "2.5", "a whole number from 1 to 9"),
        ("LOUD", "perhaps", "true or false"),
        ("LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("INNER_WEIGHT", "inf", "a number"),
        ("INNER_WEIGHT", "nan", "a number"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_it_must_be(variable: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(Example, {"SKERRY_LABEL": "a", f"SKERRY_{variable}": value})
    assert str(caught.value) == f"SKERRY_{variable} must be {reason}, not {value!r}"


def test_what_is_required_is_named() -> None:
    with pytest.raises(SettingsError, match="SKERRY_LABEL is not set"):
        read(Example, {})


def test_a_misspelt_variable_is_told_with_the_nearest_name() -> None:
    environ = {"SKERRY_NODE_SLOT": "2", "SKERRY_OF_ANOTHER_KIND": "", "SKERRY_NODE_SLOTS": "2", "PATH": "/bin"}
    assert misspelt(environ) == [
        "SKERRY_NODE_SLOT is not a setting; did you mean SKERRY_NODE_SLOTS?",
        "SKERRY_OF_ANOTHER_KIND is not a setting.",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "webfront", "scheduler"],
        ["-m", "webfront.admin", "node-admit", "alpha"],
        ["-m", "node_scripts", "agent"],
        ["-m", "node_scripts", "check"],
        ["-m", "embedded", "status"],
    ],
)
def test_every_process_tells_it_at_start(command: list[str], tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "SKERRY_HOME": str(tmp_path / "home"),
        "SKERRY_STATE_DIR": str(tmp_path),
        "SKERRY_SHARE_DIR": str(tmp_path),
        "SKERRY_BROKER_URL": "amqp://skerry@127.0.0.1:1/",
        "SKERRY_BROKER_PASSWORD_FILE": str(tmp_path / "password"),
        "SKERRY_BROKER_ADMIN_URL": "http://127.0.0.1:1",
        "SKERRY_DATABASE_URL": "sqlite:////nonexistent/skerry.sqlite",
        "SKERRY_NODE_ID": "alpha",
        "SKERRY_NODE_STATE_DIR": "/dev/null/none",
        "SKERRY_LOG_LEVLE": "DEBUG",
    }
    (tmp_path / "password").write_text("secret")
    process = subprocess.run(
        [sys.executable, *command], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert "SKERRY_LOG_LEVLE is not a setting; did you mean SKERRY_LOG_LEVEL?" in process.stdout + process.stderr


def test_the_settings_of_both_sides_are_known_to_both() -> None:
    assert variables(Settings) | variables(NodeSettings) <= KNOWN


def sources(place: Path) -> list[Path]:
    """The code there, but for where settings are read: there a variable is made of a field's name."""
    if place.is_file():
        return [place]
    found = (path for pattern in ("*.py", "*.yml", "*.j2", "prepare") for path in place.rglob(pattern))
    return [path for path in found if path.is_file() and not path.name.endswith("settings.py")]


def test_what_is_known_is_read_or_set_by_something() -> None:
    paths = [path for place in PLACES for path in sources(PROJECT / place) if not OTHER_PROGRAMS & set(path.parts)]
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    named = set(re.findall(r"SKERRY_[A-Z_]*[A-Z]\b", text))
    assert KNOWN - named - variables(Settings) - variables(NodeSettings) == set()
    assert named - KNOWN == set()


@pytest.mark.parametrize("side", [Settings, NodeSettings])
def test_every_setting_is_documented(side: type[Settings] | type[NodeSettings]) -> None:
    assert [name for name in sorted(variables(side)) if f"`{name}`" not in DOCUMENT] == []
