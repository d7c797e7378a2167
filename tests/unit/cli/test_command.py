"""The `skerry` command against a server that answers as the API does."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from webfront.cli import commands, credentials
from webfront.cli.client import Client
from webfront.cli.errors import CliError
from webfront.cli.following import wait
from webfront.cli.main import main
from webfront.cli.packing import packed

FILE = b"digit\n7\n"


def output(name: str, content: bytes = FILE) -> dict[str, Any]:
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Server:
    """Plays a job through: one state for each time it is asked for."""

    def __init__(self, *states: str, outputs: list[dict[str, Any]] | None = None) -> None:
        self.states = list(states)
        self.outputs = outputs or []
        self.log_asked: list[str] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/api/v1/")
        if path == "jobs":
            return httpx.Response(202, json={"job": self.job("queued")})
        if path.endswith("/log"):
            after = int(request.url.params["after"])
            self.log_asked.append(f"{request.url.params['attempt']}:{after}")
            lines = [{"number": at, "text": text} for at, text in ((1, "one"), (4, "four")) if at > after]
            return httpx.Response(
                200, json={"lines": lines, "next": 4, "gaps": [[2, 3]] if lines else [], "complete": not self.states}
            )
        if "/outputs/" in path:
            return httpx.Response(200, content=FILE)
        if path.startswith("jobs/"):
            return httpx.Response(200, json={"job": self.job(self.states.pop(0))})
        return httpx.Response(404, json={"error": {"code": "not_found", "message": "There is nothing."}})

    def job(self, state: str) -> dict[str, Any]:
        attempts = [] if state == "queued" else [{"number": 1, "node": "alpha", "preparing": ""}]
        return {
            "id": "J", "state": state, "message": "", "waiting_reason": "no free slot", "attempts": attempts,
            "outputs": self.outputs if state == "succeeded" else [],
        }  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server("queued", "running", "succeeded", outputs=[output("predictions.csv")])
    monkeypatch.setattr(commands, "signed_in", lambda: client_of(made))
    monkeypatch.setattr("webfront.cli.commands.time.sleep", lambda seconds: None)
    return made


def client_of(server: Server) -> Client:
    return Client("http://skerry.test", "token", transport=httpx.MockTransport(server))


def test_run_follows_and_downloads(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "digits@abcdef", "-p", "a=b=c", "--follow", "--download", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert told.out == f"one\nfour\n{tmp_path}/out/predictions.csv\n"
    assert "queued: no free slot\nrunning on alpha\n(lines 2 to 3 are missing)\nsucceeded\n" in told.err
    assert (tmp_path / "out/predictions.csv").read_bytes() == FILE
    sent = server.requests[0].content.decode()
    assert '{"a": "b=c"}' in sent
    assert "abcdef" in sent


def test_a_failed_job_is_exit_code_1(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.states = ["running", "failed"]
    assert main(["run", "digits", "--wait", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["job"]["state"] == "failed"


def test_an_accepted_job_is_exit_code_0_for_who_does_not_wait(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "digits"]) == 0
    assert capsys.readouterr().out == "J\n"


def test_what_the_server_refuses_is_said_and_is_exit_code_3(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes", "list"]) == 3
    assert capsys.readouterr().err == "skerry: There is nothing.\n"


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ([], {"after": "0"}),
        (["--from", "3"], {"after": "2"}),
        (["--last", "7"], {"after": "0", "last": "7"}),
        (["--follow", "--from", "3"], {"after": "2"}),
        (["--follow", "--last", "7"], {"after": "0", "last": "7"}),
    ],
)
def test_a_log_is_printed_from_where_it_is_wanted(server: Server, more: list[str], asked: dict[str, str]) -> None:
    main(["jobs", "log", "J", "--attempt", "1", *more])
    logs = [dict(one.url.params) for one in server.requests if one.url.path.endswith("/log")]
    assert asked.items() <= logs[0].items()
    assert all("last" not in one for one in logs[1:])


def test_a_connection_that_is_cut_ends_no_following(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.states = ["running", "running", "succeeded"]
    failures = iter([False, False, True, True, False, True, False])

    def answer(request: httpx.Request) -> httpx.Response:
        if next(failures, False):
            raise httpx.ReadError("cut", request=request)
        return server(request)

    client = Client("http://skerry.test", "token", transport=httpx.MockTransport(answer))
    out = io.StringIO()
    told: list[str] = []
    pauses: list[float] = []
    job = wait(client, "J", log_to=out, tell=told.append, sleep=pauses.append)
    assert (job["state"], out.getvalue()) == ("succeeded", "one\nfour\n")
    assert [words for words in told if words.startswith("(It")] == ["(It answers again.)"] * 2
    assert 2.0 in pauses
    # An address at which nothing has ever answered is told at once.
    failures = iter([True])
    with pytest.raises(CliError, match="cut"):
        wait(client, "J", log_to=out, tell=told.append, sleep=pauses.append)


def test_a_new_attempt_has_its_log_shown_from_the_beginning() -> None:
    server = Server("running", "running", "succeeded")
    numbers = iter([1, 2, 2])
    plain = server.job
    server.job = lambda state: plain(state) | {"attempts": [{"number": next(numbers), "node": "n", "preparing": ""}]}  # type: ignore[method-assign]
    wait(client_of(server), "J", log_to=io.StringIO(), tell=lambda words: None, sleep=lambda seconds: None)
    assert server.log_asked[0] == "1:0"
    assert "2:0" in server.log_asked


def test_the_token_is_its_owners_to_read(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(CliError, match="skerry login"):
        credentials.load(environ)
    file = credentials.save(credentials.Credentials("http://skerry.test", "secret"), environ)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert credentials.load(environ).token == "secret"
    assert "secret" not in repr(credentials.load(environ))
    credentials.forget(environ)
    assert not list(file.parent.iterdir())


def test_a_folder_is_packed_without_what_is_not_the_apps(tmp_path: Path) -> None:
    for name in ("app.yml", "src/run.py", "__pycache__/run.pyc", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    with packed(tmp_path) as (name, file), zipfile.ZipFile(file) as archive:
        assert name == f"{tmp_path.name}.zip"
        assert sorted(archive.namelist()) == ["app.yml", "src/run.py"]
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(CliError, match="link"), packed(tmp_path):
        pass


WHY = {
    "situation": "no_room",
    "sentence": "No node can take it now: alpha has no free slot.",
    "waits_for": "a node that can take it",
    "since": 1.0,
    "until": 61.0,
    "then": "a slot is free then at the latest",
    "stage": None,
    "decision": "no node can take it now: alpha has no free slot",
    "decided_at": 60.0,
    "before": 2,
    "nodes": [{"node": "alpha", "words": "has no free slot: it holds 3 jobs, as many as it may", "free_by": 61.0}],
}
PLAN = {
    "app": "digits",
    "version": "a" * 64,
    "before": 1,
    "placement": {
        "sentence": "beta won: it is the only one that can take the job (alpha has no free slot)",
        "ranking": [
            {
                "node": "beta",
                "live": 1,
                "slots": 4,
                "score": {
                    "value": 12.5,
                    "load": 20.0,
                    "performance": 0.625,
                    "temperature_factor": 1.0,
                    "free_cpu_percent": 91.0,
                    "free_memory_gb": 15.9,
                },
            }
        ],
    },
    "excluded": WHY["nodes"],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What is asked of a server that explains and plans, and does nothing else."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.url.path == "/api/v1/jobs/J/explain":
            return httpx.Response(200, json={"explanation": WHY})
        if request.url.path == "/api/v1/jobs/plan":
            return httpx.Response(200, json={"plan": PLAN})
        return httpx.Response(404, json={"error": {"code": "not_found", "message": "There is nothing."}})

    client = Client("http://skerry.test", "token", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(commands, "signed_in", lambda: client)
    return requests


def test_a_job_is_explained_with_what_each_node_says(
    asked: list[httpx.Request], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "explain", "J"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{WHY['sentence']}\nwaits for      a node that can take it, ")
    for words in (": a slot is free then at the latest\n", "in line        2 jobs are before it\n", WHY["decision"]):
        assert str(words) in told
    assert "alpha  has no free slot: it holds 3 jobs, as many as it may; a slot is free by " in told


def test_a_stage_is_told_with_its_time_and_what_is_under_way(
    asked: list[httpx.Request], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webfront.cli.explaining.time.time", lambda: 141.4)
    stage = {"what": "building the environment", "since": 100.0, "detail": "installing scipy", "until": 3700.0}
    changed = {"situation": "preparing", "stage": stage, "nodes": [], "decision": "", "before": 0}
    monkeypatch.setitem(globals(), "WHY", WHY | changed)
    assert main(["jobs", "explain", "J"]) == 0
    assert "its node is    building the environment, 41 s, installing scipy\n" in capsys.readouterr().out


def test_a_plan_is_shown_and_nothing_is_submitted(
    asked: list[httpx.Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "digits.csv"
    given.write_bytes(FILE)
    assert main(["run", "digits@aaaaaa", "--plan", "--input", str(given), "-p", "a=b", "--wait"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("digits@aaaaaaaaaaaa: beta won: it is the only one that can take the job")
    assert "1 job is before it" in told
    assert [line.split()[:5] for line in told.splitlines() if line.startswith("beta")] == [
        ["beta", "12.500", "20.000", "0.625", "1.000"]
    ]
    assert "alpha  has no free slot" in told
    assert [(one.method, str(one.url.params)) for one in asked] == [("GET", "app=digits&version=aaaaaa")]
