"""The module `skerry_program` on a real supervisor; under systemd the roles' scenarios test it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.ansible_module import run_module

WITHIN_S = 30.0
DEFINITION = """
[program:sleeper]
command=sleep {seconds}
startsecs=0
stdout_logfile=NONE
"""


class Supervisor:
    """A supervisord of the test's own, and what the module is told about its one program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.definition = folder / "programs" / "service.conf"
        self.settings = folder / "settings"
        (folder / "programs").mkdir()
        (folder / "supervisord.conf").write_text(
            f"[supervisord]\nlogfile={folder}/log\npidfile={folder}/pid\nnodaemon=true\n"
            f"[unix_http_server]\nfile={folder}/socket\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[include]\nfiles={folder}/programs/*.conf\n"
        )
        self.define(1000)
        self.settings.write_text("one")
        os.utime(self.settings, (1, 1))

    def define(self, seconds: int) -> None:
        self.definition.write_text(DEFINITION.format(seconds=seconds))

    def start(self) -> subprocess.Popen[bytes]:
        program = Path(sys.executable).parent / "supervisord"
        running = subprocess.Popen([str(program), "-c", str(self.folder / "supervisord.conf")])
        until = time.monotonic() + WITHIN_S
        while not (self.folder / "socket").exists():
            assert time.monotonic() < until, "supervisord did not start"
            time.sleep(0.05)
        return running

    def call(self, *, check: bool = False, **more: Any) -> dict[str, str]:
        """What the module did, or would do; it says so truthfully."""
        given = {
            "names": ["sleeper"],
            "manager": "supervisor",
            "socket": str(self.folder / "socket"),
            "reads": [str(self.settings)],
            **more,
        }
        result = run_module("skerry_program", check=check, **given)
        assert not result.get("failed"), result
        assert result["changed"] is bool(result["actions"])
        actions: dict[str, str] = result["actions"]
        return actions

    def command_line(self) -> str | None:
        """What the program's process was started as; None where there is none. One just forked is waited for."""
        until = time.monotonic() + WITHIN_S
        while (found := self._child()) is not None and " sleep" not in found and time.monotonic() < until:
            time.sleep(0.02)
        return found

    def _child(self) -> str | None:
        written = self.folder / "pid"
        keeper = written.read_text().strip() if written.exists() else ""
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_text().split("\0") if folder.name.isdigit() else []
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1] if words else ""
            except OSError:
                continue
            if keeper and parent == keeper:
                return f"{folder.name} {' '.join(words).strip()}"
        return None


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@pytest.fixture
def supervisor(folder: Path) -> Iterator[Supervisor]:
    one = Supervisor(folder)
    running = one.start()
    until = time.monotonic() + WITHIN_S
    while one.command_line() is None:
        assert time.monotonic() < until, "supervisord did not start the program"
        time.sleep(0.05)
    yield one
    running.terminate()
    running.wait(WITHIN_S)


def test_a_program_is_started_once(folder: Path) -> None:
    one = Supervisor(folder)
    # Nothing is known yet: supervisor itself does not run.
    assert one.call(check=True) == {"sleeper": "started"}
    definition = one.definition.read_text()
    one.definition.unlink()
    running = one.start()
    try:
        one.definition.write_text(definition)
        assert one.call(check=True) == {"sleeper": "started"}
        assert one.command_line() is None
        assert one.call() == {"sleeper": "started"}
        before = one.command_line()
        assert before is not None
        assert before.endswith("sleep 1000")
        assert one.call() == {}
        assert one.call(check=True) == {}
        assert one.command_line() == before
    finally:
        running.terminate()
        running.wait(WITHIN_S)


def test_one_whose_definition_changed_is_another_program(supervisor: Supervisor) -> None:
    supervisor.define(2000)
    assert supervisor.call() == {"sleeper": "started"}
    assert str(supervisor.command_line()).endswith("sleep 2000")
    assert supervisor.call() == {}


def test_one_that_is_older_than_what_it_reads_is_restarted(supervisor: Supervisor) -> None:
    assert supervisor.call() == {}
    before = supervisor.command_line()
    later = time.time() + 3600
    os.utime(supervisor.settings, (later, later))
    assert supervisor.call(check=True) == {"sleeper": "restarted"}
    assert supervisor.command_line() == before
    assert supervisor.call() == {"sleeper": "restarted"}
    assert supervisor.command_line() != before
    # A folder stands for the files in it.
    assert supervisor.call(check=True, reads=[str(supervisor.settings.parent)]) == {"sleeper": "restarted"}


def test_in_check_mode_what_would_be_written_counts_as_written(supervisor: Supervisor) -> None:
    assert supervisor.call(check=True, changed=True) == {"sleeper": "restarted"}


def test_one_that_was_stopped_by_hand_is_started_again(supervisor: Supervisor) -> None:
    control = [str(Path(sys.executable).parent / "supervisorctl"), "-s", f"unix://{supervisor.folder}/socket"]
    subprocess.run([*control, "stop", "sleeper"], check=True, capture_output=True)
    assert supervisor.command_line() is None
    assert supervisor.call() == {"sleeper": "started"}
    assert supervisor.command_line() is not None


def test_one_is_forgotten_with_its_definition(supervisor: Supervisor) -> None:
    gone: dict[str, Any] = {"state": "absent", "definition": str(supervisor.definition)}
    assert supervisor.call(check=True, **gone) == {"sleeper": "removed"}
    assert supervisor.command_line() is not None
    assert supervisor.call(**gone) == {"sleeper": "removed"}
    assert supervisor.command_line() is None
    assert not supervisor.definition.exists()
    assert supervisor.call(**gone) == {}


def test_a_program_that_nothing_defines_is_named(supervisor: Supervisor) -> None:
    result = run_module(
        "skerry_program", names=["nobody"], manager="supervisor", socket=str(supervisor.folder / "socket")
    )
    assert result["failed"]
    assert "there is no program nobody" in result["msg"]


def test_a_supervisor_without_a_socket_is_a_wrong_call() -> None:
    result = run_module("skerry_program", names=["sleeper"], manager="supervisor")
    assert "socket" in result["msg"]
