"""`skerry schedules` against the real API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from webfront.application import WebFront
from webfront.cli import commands
from webfront.cli.client import Client
from webfront.cli.main import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    app: WebFront,
    browse: Callable[..., httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs one command as ada; gives its exit code and what it printed."""
    ada = browse("ada")
    ada.post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()
    token = ada.headers["Authorization"].removeprefix("Bearer ")
    monkeypatch.setattr(
        commands, "signed_in", lambda: Client("http://skerry.test", token, transport=httpx.WSGITransport(app))
    )

    def command(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["schedules", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return command


def test_a_schedules_life(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("1,2")
    code, shown = run(
        *("create", "nightly", "noop", "--cron", "30 2 * * *", "--zone", "Europe/Berlin"),
        *("--input", str(file), "-p", "depth=3", "--when-running", "queue"),
    )
    assert code == 0
    for words in (
        "At 02:30 every day (Europe/Berlin)",
        "the newest version",
        "input      in.csv",
        "depth=3",
        "queue while",
    ):
        assert words in shown
    assert shown.count("next  ") == 5
    assert "At 02:30 every day (Europe/Berlin)" in run("list")[1]
    code, shown = run("change", "nightly", "--cron", "@daily", "--rename", "daily")
    assert (code, "At 00:00 every day (Europe/Berlin)" in shown, "depth=3" in shown) == (0, True, True)
    assert run("pause", "daily") == (0, "daily makes no jobs until it is resumed.\n")
    assert run("resume", "daily")[1].startswith("daily: next ")
    job = run("run", "daily")[1].strip()
    assert f"submitted {job} run by hand" in run("show", "daily")[1]
    assert json.loads(run("show", "daily", "--json")[1])["schedule"]["ticks"][0]["job"] == job
    assert run("delete", "daily")[0] == 0
    assert run("show", "daily") == (3, "skerry: There is no such schedule.\n")


def test_once_and_a_preview(run: Run) -> None:
    code, shown = run("create", "party", "noop", "--at", "2040-12-24T18:30")
    assert (code, "Once, on 24 December 2040 at 18:30 (UTC)" in shown) == (0, True)
    code, shown = run("preview", "--cron", "0 12 1 1 *", "--zone", "Asia/Tokyo")
    assert (code, len(shown.splitlines())) == (0, 6)


def test_what_cannot_be_is_refused_in_words(run: Run) -> None:
    assert run("create", "x", "noop", "--cron", "0 0 30 2 *")[0] == 3
    assert run("create", "x", "noop") == (3, "skerry: Give either a cron expression, or one date and time.\n")
    run("create", "x", "noop", "--cron", "@daily")
    assert run("change", "x")[0] == 2
