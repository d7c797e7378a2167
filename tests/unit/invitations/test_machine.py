"""The program on the machine, against a real front: it goes on wherever it was killed, and Ctrl-C leaves nothing."""

from __future__ import annotations

import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from support.invitations import PASSWORD, admit, heard, served

from node_scripts.joining import command, machine, playing
from node_scripts.joining.front import Away, Front, JoinError, Refused
from node_scripts.joining.place import Place, place
from webfront.application import WebFront
from webfront.database.models import Fact, Invitation
from webfront.settings import Settings

MOST_STEPS = 60


class Died(BaseException):
    """Stands for SIGKILL: nothing tidies up after it."""


@pytest.fixture
def front(app: WebFront) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "join"


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """A machine that fits, where the plays are only noted: which, and with what."""
    noted: list[tuple[str, dict[str, Any]]] = []

    def note(stage: playing.Stage, playbook: Sequence[str], node: str, variables: dict[str, Any]) -> bool:
        noted.append((playbook[0], variables))
        heard(node)
        return True

    told = {"host": "attic", "addresses": ["10.0.0.7"], "arch": "x86_64", "system": "debian 13", "python": "3.13"}
    monkeypatch.setattr(machine, "refuse_unfit", lambda: None)
    monkeypatch.setattr(machine, "told", lambda front, code, addresses: {**told, "code": code})
    monkeypatch.setattr(playing.Stage, "prepare", lambda stage, archive: None)
    monkeypatch.setattr(playing.Stage, "play", note)
    monkeypatch.setattr(command, "_keep", lambda *_: None)
    monkeypatch.setattr(command, "_POLL_S", 0.02)
    return noted


@pytest.fixture
def token(admin: httpx.Client) -> str:
    made = admin.post("/api/v1/invitations", json={"node": "attic"}).raise_for_status().json()
    found: str = made["token"]
    return found


class Administrator:
    """Approves whoever asks, and stands for the play that follows."""

    def __init__(self, admin: httpx.Client, settings: Settings) -> None:
        self._admin, self._settings = admin, settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(0.02):
            for one in self._admin.get("/api/v1/invitations").json()["invitations"]:
                if one["state"] == "claimed":
                    at = f"/api/v1/invitations/{one['id']}/approve"
                    self._admin.post(at, json={"code": one["machine"]["code"]}).raise_for_status()
                    admit(self._settings, one["node"])


def join(url: str, token: str, folder: Path) -> int:
    return command.join(url, token, [], folder / "no program", folder)


def kinds() -> list[str]:
    return [row.kind for row in Fact.select().where(Fact.kind.startswith("invitation.")).order_by(Fact.id)]


def test_it_joins(
    front: str, token: str, folder: Path, played: list[Any], admin: httpx.Client, settings: Settings
) -> None:
    with Administrator(admin, settings):
        assert join(front, token, folder) == 0
    assert [name for name, _ in played] == ["playbooks/register.yml", "playbooks/join.yml"]
    assert played[1][1]["node_agent_broker_password"] == PASSWORD
    assert not folder.exists()
    assert kinds() == ["invitation.create", "invitation.claim", "invitation.take"]


def test_killed_at_any_step_it_goes_on(
    front: str,
    folder: Path,
    played: list[Any],
    admin: httpx.Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before and after each request, each file and each play."""
    steps = 0

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **more: Any) -> Any:
            step()
            made = work(*given, **more)
            step()
            return made

        return run

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == dies_at:
            raise Died

    for owner, name in ((Front, "call"), (Front, "fetch"), (Place, "keep_offer"), (Place, "remove")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    monkeypatch.setattr(playing.Stage, "play", counted(playing.Stage.play))
    deaths = 0
    with Administrator(admin, settings):
        for dies_at in range(1, MOST_STEPS):
            Invitation.delete().execute()
            Fact.delete().execute()
            token = admin.post("/api/v1/invitations", json={"node": f"n{dies_at}"}).raise_for_status().json()["token"]
            steps = 0
            try:
                join(front, token, folder)
            except Died:
                deaths += 1
            else:
                break
            steps = -1000
            if not folder.exists():
                continue  # in the last moment: it has joined
            assert join(front, token, folder) == 0, dies_at
            assert kinds() == ["invitation.create", "invitation.claim", "invitation.take"], dies_at
            assert not folder.exists()
            assert Invitation.get().sealed is None
    assert 12 < deaths < MOST_STEPS - 2


def test_ctrl_c_leaves_nothing_and_the_token_as_it_was(
    front: str, token: str, folder: Path, played: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        join(front, token, folder)
    assert not folder.exists()
    assert Invitation.get().state == "open"
    said = capsys.readouterr()
    assert "Its code is" in said.out
    assert said.err == "Nothing was installed.\n"


def test_what_is_wrong_is_said_before_anything_is_there(
    front: str, token: str, folder: Path, played: list[Any], admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(JoinError, match="not known"):
        join(front, "another", folder)
    Invitation.update(expires_at=1.0).execute()
    with pytest.raises(JoinError, match="expired"):
        join(front, token, folder)
    assert not folder.exists()
    assert not played
    token = admin.post("/api/v1/invitations", json={"node": "attic"}).json()["token"]
    now = time.time()
    late = SimpleNamespace(time=lambda: now - 60, sleep=time.sleep, monotonic=time.monotonic)
    monkeypatch.setattr("node_scripts.joining.command.time", late)
    with pytest.raises(JoinError, match="60 seconds away"):
        join(front, token, folder)
    assert Invitation.select().order_by(Invitation.id.desc()).first().state == "open"


def test_a_play_that_fails_can_be_run_again(
    front: str,
    token: str,
    folder: Path,
    played: list[Any],
    admin: httpx.Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = playing.Stage.play
    monkeypatch.setattr(playing.Stage, "play", lambda *_: False)
    with Administrator(admin, settings), pytest.raises(JoinError, match=r"Nothing was installed. .*same command again"):
        join(front, token, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "offer.json").stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(playing.Stage, "play", works)
    assert join(front, token, folder) == 0


def test_it_waits_for_a_front_that_is_away(app: WebFront, token: str, folder: Path) -> None:
    front = Front("http://127.0.0.1:9", token, "k" * 43)
    with pytest.raises(Away, match="does not answer"):
        front.call("GET", "join")
    tries = iter([True, True, False])

    def ask() -> int:
        if next(tries):
            raise Away("away")
        return 7

    assert command._patiently(ask) == 7

    def elsewhere(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("302 Found", [("Location", "http://elsewhere/")])
        return []

    with served(elsewhere) as url, pytest.raises(Refused, match="302"):
        Front(url, token, "k" * 43).call("GET", "join")


def test_one_run_at_a_time_and_a_folder_for_each_token(tmp_path: Path) -> None:
    with place(tmp_path / "join") as ours:
        ours.begin("one")
        key, code = ours.key, ours.code
        with pytest.raises(JoinError, match="Another run"), place(tmp_path / "join"):
            pass
    with place(tmp_path / "join") as ours:
        ours.begin("one")
        assert (ours.key, ours.code) == (key, code)
        ours.keep_offer({"node": "attic"})
        ours.begin("another")
        assert ours.key != key
        assert ours.offer() is None


def test_the_machine_says_what_it_is(tmp_path: Path) -> None:
    for name, text in {
        "etc/os-release": 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="13"\n',
        "etc/skerry-agent/agent.env": "SKERRY_NODE_ID='attic'\n",
        "etc/skerry-agent/broker-password": "secret\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    told = machine.told("http://127.0.0.1:8460", "ABC-234", [], tmp_path)
    assert (told["system"], told["addresses"], told["was"], told["password"]) == (
        "debian 13",
        ["127.0.0.1"],
        "attic",
        "secret",
    )
    assert machine.told("http://127.0.0.1", "ABC-234", ["10.1.1.1"], tmp_path)["addresses"] == ["10.1.1.1"]
    assert machine.as_node(tmp_path) == {}
    with pytest.raises(JoinError, match="cannot be found"):
        machine.own_addresses("http://nowhere.invalid")


def test_a_front_of_an_authority_of_its_own_is_trusted_by_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "ca.crt"
    ask = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]
    ask += ["-keyout", str(tmp_path / "key"), "-out", str(made), "-subj", "/CN=front"]
    subprocess.run([*ask, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(made, tmp_path / "key")

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        return [b'{"standing": {}}']

    with served(answer, trusted) as url:
        with pytest.raises(Refused, match=r"SSL_CERT_FILE=ca\.crt"):
            Front(url, "token", "k" * 43).call("GET", "join")
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        assert Front(url, "token", "k" * 43).call("GET", "join") == {"standing": {}}
