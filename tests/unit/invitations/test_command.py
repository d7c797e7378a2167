"""`skerry join`: it runs the program of the front, and no other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.invitations import served

from webfront.application import WebFront
from webfront.cli.main import main
from webfront.web.services import Services


@pytest.fixture
def front(app: WebFront) -> Iterator[str]:
    with served(app) as url:
        yield url


def test_the_installed_command_joins_with_the_fronts_program(
    front: str,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran: list[list[str]] = []

    class Program:
        def __init__(self, command: list[str]) -> None:
            ran.append(command)
            assert Path(command[1]).read_bytes() == services.invitations.program.body

        def __enter__(self) -> Program:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def wait(self) -> int:
            return 7

    monkeypatch.setattr(subprocess, "Popen", Program)
    monkeypatch.setattr("webfront.cli.joining.signal.signal", lambda *_: None)
    right = services.invitations.program.sha256
    assert main(["join", "--front", front, "--sha256", right, "--address", "10.0.0.7", "token"]) == 7
    assert ran[0][2:] == ["join", "--front", front, "--address=10.0.0.7", "token"]
    assert not Path(ran[0][1]).exists()
    assert main(["join", "--front", front, "--sha256", "0" * 64, "token"]) == 3
    assert "not the one with this checksum" in capsys.readouterr().err
    assert main(["join", "--front", front, "token"]) == 2
    assert "--sha256" in capsys.readouterr().err
    assert len(ran) == 1
