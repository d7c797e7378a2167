"""What the quickstart decides by itself: paths, ports, when to bring the platform up again, known problems."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from embedded import site
from embedded.api import pack_folder
from embedded.console import Console
from embedded.home import Home
from embedded.problems import Problem, recognise


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "h").mkdir()
    made = Home.from_environment({"SKERRY_HOME": str(tmp_path / "h"), "SKERRY_PORT_BASE": "18460"})
    made.keep_settings({})
    return made


def test_what_was_chosen_at_the_first_start_is_remembered(home: Home) -> None:
    assert Home.from_environment({"SKERRY_HOME": str(home.path)}).port_base == 18460
    other = Home.from_environment({"SKERRY_HOME": str(home.path), "SKERRY_PORT_BASE": "28460"})
    assert list(other.ports.values()) == [28460, 28461, 28462, 28463, 28464]


@pytest.mark.parametrize("text", ["80", "http", "65535", "-1"])
def test_a_port_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Problem) as caught:
        Home.from_environment({"SKERRY_HOME": str(tmp_path), "SKERRY_PORT_BASE": text})
    assert caught.value.advice


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="too long"):
        Home.from_environment({"SKERRY_HOME": str(tmp_path / ("x" * 90))})


def test_settings_and_sources_change_the_fingerprint(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "roles").mkdir(parents=True)
    (project / "roles/a.yml").write_text("a")
    monkeypatch.setattr(site, "PROJECT", project)
    first = site.fingerprint(home, ("roles",))
    assert site.fingerprint(home, ("roles",)) == first
    (project / "roles/a.yml").write_text("b")
    second = site.fingerprint(home, ("roles",))
    home.keep_settings({"SKERRY_BROKER_LISTEN": "0.0.0.0"})
    assert len({first, second, site.fingerprint(home, ("roles",))}) == 3


def test_a_torn_stamp_vouches_for_nothing(home: Home) -> None:
    site.write_stamp(home, site="abc")
    assert site.read_stamp(home) == {"site": "abc"}
    home.stamp.write_text('{"site": "ab')
    assert site.read_stamp(home) == {}


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("Temporary failure resolving 'deb.example.org'", "the network does not answer"),
        ("sudo: a password is required", "a right is missing"),
        ("{error,{failed_to_start,eaddrinuse}}", "a port is in use"),
    ],
)
def test_what_people_meet_is_recognised(output: str, what: str) -> None:
    found = recognise(f"TASK [x]\nfatal: {output}")
    assert found is not None
    assert found.what == what
    assert found.advice


def test_the_same_folder_gives_the_same_zip(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs/a.csv").write_text("a")
    (tmp_path / "app.yml").write_text("name: a\n")
    first = pack_folder(tmp_path, leave_out=("inputs",))
    (tmp_path / "app.yml").touch()
    (tmp_path / "inputs/a.csv").write_text("b")
    assert pack_folder(tmp_path, leave_out=("inputs",)) == first


def test_a_play_without_a_machine_here_is_no_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = (
        "PLAY [Set up the broker] ***\n\nTASK [rabbitmq : Install] ***\nok: [controller]\n\n"
        "PLAY [Set up the front door] ***\nskipping: no hosts matched\n\n"
        "PLAY [Set up the rest] ***\n\nTASK [Look] ***\nok: [controller]\n\nPLAY RECAP ***\n"
    )
    run = subprocess.Popen(["printf", "%s", told], stdout=subprocess.PIPE, text=True)
    with (tmp_path / "log").open("w") as kept, run:
        site._follow(run, kept, Console())
    assert (tmp_path / "log").read_text() == told
    shown = [line.split("  ")[2].strip() for line in capsys.readouterr().out.splitlines()]
    assert len(shown) == 2
    assert "front door" not in str(shown)
