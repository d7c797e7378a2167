"""The command that changes the exports: single addresses alone, whole files, and nothing lost when it is killed."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from support.loading import load

from wire import topology

PROGRAM = Path(__file__).resolve().parents[3] / "roles/nfs_server/files/exports.py"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("roles/nfs_server/files/exports.py")


class Server:
    """A file server's files in a folder; what stands for exportfs writes down what it was told to export."""

    OPTIONS: ClassVar = {"kernel": "rw,root_squash", "ganesha": "Squash = Root_Squash;"}

    def __init__(self, folder: Path, program: ModuleType, kind: str) -> None:
        self._program = program
        self.kind = kind
        self.exports, self.in_force, self.state = folder / "skerry.exports", folder / "in-force", folder / "nodes.json"
        self.settings = folder / "settings.json"
        self.settings.write_text(
            json.dumps(
                {
                    "server": kind,
                    "path": "/srv/skerry",
                    "options": self.OPTIONS[kind],
                    "always": ["10.0.0.4"],
                    "state": str(self.state),
                    "exports": str(self.exports),
                    "lock": str(folder / "lock"),
                    "tell": ["cp", str(self.exports), str(self.in_force)],
                }
            )
        )

    def __call__(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = self._program.answer(list(words), self._program.Settings(self.settings))
        return found

    def clients(self) -> set[str]:
        """To whom the server exports now."""
        lines = [line for line in self.in_force.read_text().splitlines() if not line.startswith("#")]
        if not lines:
            return set()
        if self.kind == "ganesha":
            return self.clients_of_block("\n".join(lines))
        assert len(lines) == 1
        path, *clients = shlex.split(lines[0])
        assert path == "/srv/skerry"
        assert all(client.endswith("(rw,root_squash)") for client in clients)
        return {client.partition("(")[0] for client in clients}

    def clients_of_block(self, text: str) -> set[str]:
        """Of an EXPORT that is nobody's, but for one CLIENT of addresses; both with the options."""
        found = re.fullmatch(
            r"EXPORT \{(?P<all>[^{}]*)FSAL \{ Name = VFS; \}\s*CLIENT \{(?P<client>[^{}]*)\}\s*\}", text
        )
        assert found is not None, text
        everybody, client = (" ".join(found[part].split()) for part in ("all", "client"))
        options = self.OPTIONS[self.kind]
        assert everybody == (
            f'Export_Id = 1; Path = "/srv/skerry"; Pseudo = "/srv/skerry"; Access_Type = None; {options}'
        )
        before, _, clients = client.partition("Clients = ")
        assert before == f"Access_Type = RW; {options} "
        return set(clients.removesuffix(";").split(", "))


@pytest.fixture(params=Server.OPTIONS)
def server(tmp_path: Path, program: ModuleType, request: pytest.FixtureRequest) -> Server:
    return Server(tmp_path, program, request.param)


def test_nodes_come_and_go_and_the_same_twice_changes_nothing(server: Server) -> None:
    assert server("apply")["changed"]
    assert server.clients() == {"10.0.0.4"}
    assert server("add", "edge", "10.0.1.11", "fd00::11")["changed"]
    assert not server("add", "edge", "fd00:0::11", "10.0.1.11")["changed"]
    assert server.clients() == {"10.0.0.4", "10.0.1.11", "fd00::11"}
    # Registered again with another address, it has that one alone.
    assert server("add", "edge", "10.0.1.12")["changed"]
    assert server.clients() == {"10.0.0.4", "10.0.1.12"}
    # Two nodes behind one address: it goes with the last of them.
    server("add", "other", "10.0.1.12")
    assert server("remove", "edge")["changed"]
    assert server.clients() == {"10.0.0.4", "10.0.1.12"}
    assert server("remove", "other")["changed"]
    assert not server("remove", "other")["changed"]
    assert server.clients() == {"10.0.0.4"}


def test_without_a_client_nothing_is_exported(server: Server) -> None:
    given = json.loads(server.settings.read_text())
    server.settings.write_text(json.dumps(given | {"always": []}))
    server("apply")
    # A line with a path alone would export to everybody.
    assert "/srv/skerry" not in server.in_force.read_text()


def test_an_ipv4_address_has_one_form(server: Server) -> None:
    server("add", "edge", "::ffff:10.0.1.11")
    assert server.clients() == {"10.0.0.4", "10.0.1.11"}


@pytest.mark.parametrize(
    "address",
    [
        "", "*", "0.0.0.0", "::", "10.0.0.0/8", "10.0.1.11/32", "edge.example.org", "@netgroup", "10.0.1.11(rw)",
        "10.0.1.11 *(rw)", "10.0.1.11\n/etc *(rw)", "127.0.0.1", "::1", "224.0.0.1", "ff02::1", "169.254.1.1",
        "fe80::1", "fe80::1%eth0", "255.255.255.255", "240.0.0.1", "010.0.1.11", "0x7f.1", "2130706433",
        "10.0.1.*", "[fd00::11]",
    ],
)  # fmt: skip
def test_what_is_not_a_machines_address_is_refused(server: Server, program: ModuleType, address: str) -> None:
    server("apply")
    with pytest.raises(program.Refused):
        server("add", "edge", "10.0.1.11", address)
    assert server.clients() == {"10.0.0.4"}


@pytest.mark.parametrize("name", ["", "Edge", "-edge", "edge-", "e" * 33, "a b", "../x", "edge\n", "edge*"])
def test_what_is_not_a_nodes_name_is_refused(server: Server, program: ModuleType, name: str) -> None:
    for words in (["add", name, "10.0.1.11"], ["remove", name]):
        with pytest.raises(program.Refused):
            server(*words)


@pytest.mark.parametrize("line", ["", "add", "apply", "list; id", "add edge $(id)", "a" * 2000])
def test_a_line_over_ssh_is_plain_words_of_three_verbs(
    server: Server, program: ModuleType, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--from-ssh", line], server.settings) == 2
    assert program.main(["--from-ssh"], server.settings) == 2
    assert capsys.readouterr().out == ""


def test_a_line_over_ssh_does_what_it_says(server: Server, program: ModuleType) -> None:
    assert program.main(["--from-ssh", "add edge 10.0.1.11 fd00::A"], server.settings) == 0
    assert server.clients() == {"10.0.0.4", "10.0.1.11", "fd00::a"}


def test_check_changes_nothing(server: Server) -> None:
    server("apply")
    assert server("add", "edge", "10.0.1.11", "--check")["changed"]
    assert server.clients() == {"10.0.0.4"}
    assert not server("apply", "--check")["changed"]


def test_a_node_may_have_only_so_many_addresses(server: Server, program: ModuleType) -> None:
    with pytest.raises(program.Refused, match="at most 8"):
        server("add", "edge", *(f"10.0.1.{number}" for number in range(1, 10)))


def test_killed_at_any_step_it_is_made_up_for(
    server: Server, program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call to the kernel that writes or tells is the last one once; then another node is registered."""

    class Killed(BaseException):
        pass

    for last in itertools.count():
        for file in (server.state, server.exports, server.in_force):
            file.unlink(missing_ok=True)
        server("apply")
        left = itertools.count(last, -1)

        def dying(call: Callable[..., Any], left: Any = left) -> Callable[..., Any]:
            def step(*given: Any, **named: Any) -> Any:
                if next(left) == 0:
                    raise Killed
                return call(*given, **named)

            return step

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying(Path.replace))
            patch.setattr(os, "fsync", dying(os.fsync))
            patch.setattr(os, "fchmod", dying(os.fchmod))
            patch.setattr(subprocess, "run", dying(subprocess.run))
            try:
                server("add", "edge", "10.0.1.11")
            except Killed:
                survived = False
            else:
                survived = True
        if survived:
            assert last > 6
            break
        known = set(json.loads(server.state.read_text())) if server.state.exists() else set()
        server("add", "other", "10.0.1.12")
        assert server.clients() == {"10.0.0.4", "10.0.1.12"} | ({"10.0.1.11"} if "edge" in known else set())
        assert server("add", "edge", "10.0.1.11")["changed"] == ("edge" not in known)
        assert server.clients() == {"10.0.0.4", "10.0.1.11", "10.0.1.12"}


def test_what_a_killed_call_left_is_cleared_away(server: Server) -> None:
    left = server.exports.with_name(f".{server.exports.name}.abc")
    left.touch()
    server("apply")
    assert not left.exists()


def test_two_at_once_are_both_there(server: Server) -> None:
    def register(number: int) -> None:
        command = (
            "import runpy, sys, pathlib; program = runpy.run_path(sys.argv[1]);"
            "sys.exit(program['main'](sys.argv[3:], pathlib.Path(sys.argv[2])))"
        )
        words = ["add", f"edge-{number}", f"10.0.1.{number}"]
        subprocess.run(
            [sys.executable, "-c", command, PROGRAM, server.settings, *words], check=True, capture_output=True
        )

    threads = [threading.Thread(target=register, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.clients() == {"10.0.0.4", *(f"10.0.1.{number}" for number in range(1, 9))}


def test_a_server_that_refuses_is_told(server: Server, program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    given = json.loads(server.settings.read_text())
    server.settings.write_text(json.dumps(given | {"tell": ["false"]}))
    assert program.main(["add", "edge", "10.0.1.11"], server.settings) == 1
    assert "false failed" in capsys.readouterr().err


def test_its_rule_for_names_is_the_platforms(program: ModuleType) -> None:
    assert program.NODE_NAME.pattern == topology.NODE_NAME.pattern
