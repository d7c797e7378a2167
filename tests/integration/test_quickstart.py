"""What ./quickstart says when it cannot go on, and what it leaves alone.

A whole run, from nothing and killed in between, is tested on machines of its own in tests/quickstart.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MARK = "SKERRY_EMBEDDED_HOME"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".skerry-home").touch()
    return folder


@pytest.fixture
def ports() -> Iterator[tuple[int, socket.socket]]:
    """A base of five ports that are free, but for the first, which is listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1], held


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKERRY_")}
    return kept | {"SKERRY_HOME": str(home), "PYTHONPATH": str(PROJECT)} | more


def embedded(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The part after the bootstrap, in the tests' own virtual environment."""
    return subprocess.run(
        [sys.executable, "-m", "embedded", *arguments],
        env=environment(home, **more),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def quickstart(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROJECT / "quickstart"), *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_port_in_use_is_named_with_who_uses_it_and_what_to_do(home: Path, ports: tuple[int, socket.socket]) -> None:
    done = embedded(home, "up", SKERRY_PORT_BASE=str(ports[0]))
    assert done.returncode == 1
    assert f"Port {ports[0]}, for the web front, is in use" in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    assert "SKERRY_PORT_BASE=" in done.stderr
    assert not (home / "supervisor").exists()


def test_no_network_is_told_and_nothing_half_made_counts(home: Path) -> None:
    done = quickstart(home, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_NO_CACHE_DIR="1",
                      PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)  # fmt: skip
    assert done.returncode == 1
    assert "The package servers cannot be reached" in done.stderr
    assert "run ./quickstart again" in done.stderr
    assert not list((home / "venv").glob(".complete-*"))


def test_folders_deeper_than_any_path_are_destroyed(home: Path) -> None:
    deep = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')"
    (home / "nodes").mkdir()
    subprocess.run([sys.executable, "-c", deep], cwd=home / "nodes", check=True)
    done = embedded(home, "destroy", "--yes")
    assert done.returncode == 0, done.stderr
    assert not home.exists()


def test_a_directory_of_someone_else_is_not_destroyed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    done = embedded(precious, "destroy", "--yes")
    assert done.returncode == 1
    assert (precious / "thesis.txt").read_text() == "years"


def test_status_of_nothing_is_an_answer(home: Path) -> None:
    done = embedded(home, "status", "--json", SKERRY_PORT_BASE="21599")
    told = json.loads(done.stdout)
    assert told["web_url"] == "http://127.0.0.1:21599"
    assert told["admin_user"] == "admin"
    assert told["predictions"] is None
    assert told["processes"] == []


def test_a_path_that_the_broker_would_not_survive_is_refused(tmp_path: Path) -> None:
    spaced = tmp_path / "my home"
    spaced.mkdir()
    done = embedded(spaced, "status")
    assert done.returncode == 1
    assert "Set SKERRY_HOME" in done.stderr


def test_stop_ends_what_was_left_behind_and_nothing_else(home: Path) -> None:
    """A supervisor that was killed leaves processes: they are known by their mark."""
    ours = subprocess.Popen(["sleep", "60"], env={MARK: str(home)})
    stubborn = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)",
        ],
        env={MARK: str(home)},
        stdout=subprocess.PIPE,
    )
    other = subprocess.Popen(["sleep", "60"], env={MARK: f"{home}-of-another"})
    try:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()  # it ignores the signal from here on
        done = embedded(home, "stop")
        assert done.returncode == 0, done.stderr
        assert ours.wait(5) == -15
        assert stubborn.wait(5) == -9
        assert other.poll() is None
    finally:
        for process in (ours, stubborn, other):
            process.kill()
            process.wait()


def test_a_second_one_waits_for_the_first(home: Path) -> None:
    with subprocess.Popen(["flock", str(home / "lock"), "sleep", "2"]):
        time.sleep(0.5)
        begun = time.monotonic()
        done = embedded(home, "stop")
    assert done.returncode == 0, done.stderr
    assert "waiting for another ./quickstart" in done.stdout
    assert time.monotonic() - begun > 1
