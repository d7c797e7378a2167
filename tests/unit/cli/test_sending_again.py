"""`skerry run` before a server that fails for a while: the same request with the same key, and an end to it."""

from __future__ import annotations

import http.server
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.receiver import Answer, Received, Receiver, answering, closed_port, receiver

from webfront.cli import commands
from webfront.cli.client import AGAIN_AFTER_S, Client
from webfront.cli.main import main

JOB = b'{"job": {"id": "J", "state": "queued"}}'
ACCEPTED = answering(202, headers={"Content-Type": "application/json"}, body=JOB)


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        made.answer = ACCEPTED
        yield made


@pytest.fixture
def pauses(server: Receiver, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(commands, "signed_in", lambda: Client(server.url(""), "token"))
    monkeypatch.setattr("webfront.cli.commands.time.sleep", found.append)
    return found


def hang_up(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def half_an_answer(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(202)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(JOB)
    handler.close_connection = True


def in_turn(server: Receiver, *answers: Answer) -> None:
    left = list(answers)
    server.answer = lambda received, handler: left.pop(0)(received, handler)


def keys(server: Receiver) -> list[str]:
    return [one.headers["idempotency-key"] for one in server.received]


def body(received: Received) -> bytes:
    """Without what separates its parts, which is another one each time."""
    boundary = received.headers["content-type"].partition("boundary=")[2]
    return received.body.replace(boundary.encode(), b"")


def test_it_is_sent_again_whole_with_the_same_key(
    server: Receiver, pauses: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.bin").write_bytes(bytes(range(256)) * 4096)
    in_turn(server, answering(502), hang_up, answering(504), half_an_answer, ACCEPTED)
    assert main(["run", "digits", "--input", str(tmp_path / "in.bin"), "-p", "level=3"]) == 0
    assert capsys.readouterr().out == "J\n"
    assert pauses == list(AGAIN_AFTER_S)
    assert len({body(one) for one in server.received}) == len(set(keys(server))) == 1
    assert bytes(range(256)) * 4096 in server.received[-1].body
    assert re.fullmatch(r'"[0-9a-f]{32}"', keys(server)[0])


def test_each_run_has_a_key_of_its_own(server: Receiver, pauses: list[float]) -> None:
    assert [main(["run", "digits"]) for _ in range(3)] == [0, 0, 0]
    assert len(set(keys(server))) == 3
    assert pauses == []


def test_it_gives_up_and_says_how_to_go_on(
    server: Receiver, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = answering(503)
    assert main(["run", "digits", "--idempotency-key", "tonight's run"]) == 4
    assert len(server.received) == len(AGAIN_AFTER_S) + 1
    assert set(keys(server)) == {'"tonight\'s run"'}
    told = capsys.readouterr().err
    assert "It may have been accepted all the same." in told
    assert """add --idempotency-key 'tonight'"'"'s run'.""" in told


def test_what_never_reached_a_server_was_not_accepted(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "signed_in", lambda: Client(f"http://127.0.0.1:{closed_port()}", "token"))
    assert main(["run", "digits"]) == 4
    assert pauses == list(AGAIN_AFTER_S)
    told = capsys.readouterr().err
    assert told.count("does not answer") == len(AGAIN_AFTER_S) + 1
    assert "--idempotency-key" not in told


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 429, 500])
def test_an_answer_that_would_be_the_same_again_is_final(server: Receiver, pauses: list[float], status: int) -> None:
    server.answer = answering(status)
    assert main(["run", "digits"]) != 0
    assert (len(server.received), pauses) == (1, [])


def test_a_repetition_is_told(server: Receiver, pauses: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = answering(202, headers={"Idempotent-Replayed": "true"}, body=JOB)
    assert main(["run", "digits", "--idempotency-key", 'a "b" \\c']) == 0
    assert keys(server) == [r'"a \"b\" \\c"']
    assert "job J had been accepted before\n" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["é", "🪨", "a\nb", "a\tb", "\udcff"])
def test_a_key_that_no_header_can_carry_is_not_sent(server: Receiver, pauses: list[float], key: str) -> None:
    assert main(["run", "digits", "--idempotency-key", key]) == 2
    assert server.received == []
