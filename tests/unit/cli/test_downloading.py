"""Fetching a result through a connection that breaks: it goes on where it was, and is never there in part."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from webfront.cli.client import AGAIN_AFTER_S, Client
from webfront.cli.downloading import fetch
from webfront.cli.errors import CliError

RESULT = bytes(range(256)) * 400


def output(name: str = "out.bin", content: bytes = RESULT) -> dict[str, Any]:
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Breaking(httpx.SyncByteStream):
    """Bytes, and then the connection's end before the answer's."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        raise httpx.ReadError("the connection is gone")


class Server:
    """Sends `at_once` bytes an answer, then breaks; with `ranges` it knows how to go on."""

    def __init__(self, at_once: int = 10**9, *, ranges: bool = True, content: bytes = RESULT) -> None:
        self.at_once = at_once
        self.ranges = ranges
        self.content = content
        self.asked: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        begin, headers = 0, {}
        if self.ranges and wanted and request.headers["If-Range"] == f'"{hashlib.sha256(self.content).hexdigest()}"':
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            headers = {"Content-Range": f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"}
        left = self.content[begin:]
        code = 206 if headers else 200
        if len(left) > self.at_once:
            return httpx.Response(code, headers=headers, stream=Breaking(left[: self.at_once]))
        return httpx.Response(code, headers=headers, content=left)


def fetched(
    server: Callable[[httpx.Request], httpx.Response], folder: Path, what: dict[str, Any] | None = None
) -> tuple[Path, list[float]]:
    client = Client("http://skerry.test", "token", transport=httpx.MockTransport(server))
    pauses: list[float] = []
    return fetch(client, "J", what or output(), folder, tell=lambda words: None, sleep=pauses.append), pauses


def test_a_download_that_breaks_goes_on_by_itself(tmp_path: Path) -> None:
    server = Server(30_000)
    file, pauses = fetched(server, tmp_path)
    assert file.read_bytes() == RESULT
    assert server.asked == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]
    assert set(pauses) == {AGAIN_AFTER_S[0]}, "each piece is a new beginning"
    assert [one.name for one in tmp_path.iterdir()] == ["out.bin"]


def test_one_that_was_given_up_goes_on_with_the_next_call(tmp_path: Path) -> None:
    def breaks_then_hangs(request: httpx.Request) -> httpx.Response:
        if "Range" in request.headers:
            raise httpx.ConnectError("refused")
        return Server(30_000)(request)

    with pytest.raises(CliError, match="goes on where it was"):
        fetched(breaks_then_hangs, tmp_path)
    assert not (tmp_path / "out.bin").exists(), "a part is never there as the whole"
    server = Server()
    file, _ = fetched(server, tmp_path)
    assert (file.read_bytes(), server.asked) == (RESULT, ["bytes=30000-"])


def test_a_program_that_was_killed_leaves_a_part_to_go_on_from(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def sleep(seconds: float) -> None:
        raise Killed

    client = Client("http://skerry.test", "token", transport=httpx.MockTransport(Server(30_000)))
    with pytest.raises(Killed):
        fetch(client, "J", output(), tmp_path, tell=lambda words: None, sleep=sleep)
    server = Server()
    assert fetched(server, tmp_path)[0].read_bytes() == RESULT
    assert server.asked == ["bytes=30000-"]


def test_a_server_that_knows_no_ranges_is_asked_for_all_of_it(tmp_path: Path) -> None:
    server = Server(30_000, ranges=False)

    def at_last_whole(request: httpx.Request) -> httpx.Response:
        if len(server.asked) == 2:
            server.at_once = 10**9
        return server(request)

    assert fetched(at_last_whole, tmp_path)[0].read_bytes() == RESULT


@pytest.mark.parametrize("content", [RESULT[:-1] + b"x", RESULT[:-1], RESULT + b"x"])
def test_a_damaged_download_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="damaged"):
        fetched(Server(content=content), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_empty_result_is_fetched(tmp_path: Path) -> None:
    assert fetched(Server(), tmp_path, output("none.csv", b""))[0].read_bytes() == b""
    assert [one.name for one in tmp_path.iterdir()] == ["none.csv"]


def test_a_refusal_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="deleted"):
        fetched(lambda request: httpx.Response(410, json={"error": {"message": "It was deleted."}}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_do_not_fetch_the_same_at_once(tmp_path: Path) -> None:
    with pytest.raises(CliError):
        fetched(lambda request: httpx.Response(503), tmp_path / "other")
    sha256 = hashlib.sha256(RESULT).hexdigest()
    with (tmp_path / f".out.bin.{sha256[:16]}.part").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CliError, match="already"):
            fetched(Server(), tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a//b", "a/../../b", "", "a\\b"])
def test_a_server_cannot_choose_where_a_download_lands(tmp_path: Path, name: str) -> None:
    with pytest.raises(CliError):
        fetched(Server(), tmp_path / "out", output(name))
    assert not list(tmp_path.rglob("*evil*"))
