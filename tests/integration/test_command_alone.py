"""The `skerry` command alone, as `pipx install '.[cli]'` installs it: a wheel and httpx in a fresh environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.front import PASSWORD, Front

from wire import VERSION

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = ("wire", "node_scripts", "webfront", "embedded", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The virtual environment's bin directory."""
    folder = tmp_path_factory.mktemp("alone")
    # A copy, since building leaves folders where it builds.
    (folder / "source").mkdir()
    for name in SHIPPED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, folder / "source")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, folder / "source"], check=True, timeout=300)
    [wheel] = folder.glob("skerry-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=60)
    python: list[str | Path] = ["--python", folder / "venv/bin/python"]
    pins: list[str | Path] = ["--constraint", PROJECT / "requirements/controller.txt"]
    subprocess.run([*pip, *python, "install", *pins, f"{wheel}[cli]"], check=True, timeout=300)
    return folder / "venv/bin"


def skerry(alone: Path, home: Path, *arguments: str | Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [alone / "skerry", *arguments], env=environment, cwd=home, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_brings_httpx_and_nothing_of_the_controller(alone: Path) -> None:
    program = """
import sys
from importlib import metadata
import webfront.cli
print(sorted(one.name.lower() for one in metadata.distributions()), "httpx" in sys.modules)
"""
    done = subprocess.run([alone / "python", "-c", program], cwd="/", capture_output=True, text=True, check=True)
    installed, _, early = done.stdout.strip().rpartition(" ")
    assert "'httpx'" in installed
    for absent in ("bottle", "peewee", "pika", "ansible-core", "msgspec", "jinja2"):
        assert f"'{absent}'" not in installed
    assert early == "False", "httpx takes longer to import than all the rest, and --help does without"


def test_it_says_what_it_is(alone: Path, tmp_path: Path) -> None:
    assert skerry(alone, tmp_path, "--version") == f"skerry {VERSION}\n"
    assert "run an app" in skerry(alone, tmp_path, "--help")


def test_it_works_against_a_web_front(alone: Path, front: Front, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    skerry(alone, tmp_path, "login", front.url, "--user", "ada", "--password-file", tmp_path / "password")
    skerry(alone, tmp_path, "apps", "push", PROJECT / "examples/apps/readings")
    readings = PROJECT / "examples/apps/readings/inputs/readings.csv"
    job = json.loads(skerry(alone, tmp_path, "run", "readings", "--input", readings, "--json"))["job"]
    assert job["state"] == "queued"
    assert job["id"] in skerry(alone, tmp_path, "jobs", "list")
