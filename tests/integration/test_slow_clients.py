"""Clients that send or read slowly, by the hundred: the front answers everybody else, and in time is rid of them."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from support.crowds import Crowd, slowest
from support.front import PASSWORD, Front, until

pytestmark = pytest.mark.stores("sqlite")

PATIENCE_S = 4
"""As these fronts have it; 30 by default."""
AT_MOST_S = 5.0
"""An answer for somebody else, on a machine that does other things as well."""


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def front(front: Front) -> Front:
    """With little patience."""
    front.environment |= {"SKERRY_WEB_PATIENCE_S": str(PATIENCE_S), "SKERRY_MAX_UPLOAD_MB": "1200"}
    front.restart()
    return front


def head(target: str, length: int, token: str = "", kind: str = "application/json") -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"POST {target} HTTP/1.1\r\nHost: skerry\r\n{bearer}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def token_of(ada: httpx.Client) -> str:
    return ada.headers["Authorization"].removeprefix("Bearer ")


FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="slow.py"\r\n\r\n'
CROWDS: dict[str, tuple[int, Callable[[str], bytes], bytes]] = {
    "300 bodies from nobody known": (300, lambda token: head("/api/v1/tokens", 10_000), b"x"),
    "300 bodies of a user": (300, lambda token: head("/api/v1/jobs", 900_000, token), b"x"),
    "300 uploads of a user": (300, lambda token: head("/api/v1/apps", 2**29, token, FORM), b"x"),
    "2,000 idle connections": (2000, lambda token: b"", b""),
    "2,000 slow heads": (2000, lambda token: b"GET /api/v1/health HTTP/1.1\r\nHost: skerry\r\nX: ", b"x"),
}


@pytest.mark.parametrize("name", CROWDS)
def test_the_front_answers_while_many_send_slowly_and_ends_them_in_time(
    name: str, front: Front, ada: httpx.Client
) -> None:
    count, said, drip = CROWDS[name]
    crowd = Crowd(front, count, said(token_of(ada)), drip)
    try:
        assert slowest(front, ada, PATIENCE_S) < AT_MOST_S
        until(lambda: crowd.closed() == count, 3 * PATIENCE_S)
    finally:
        crowd.end()
    assert slowest(front, ada, 1.0) < AT_MOST_S


def test_a_body_that_comes_too_slowly_is_told_so(front: Front, ada: httpx.Client) -> None:
    crowd = Crowd(front, 1, head("/api/v1/jobs", 900_000, token_of(ada)), b"x")
    time.sleep(PATIENCE_S + 2)
    (said,) = crowd.answers()
    crowd.end()
    assert said == b"HTTP/1.1 408 Request Timeout"


def test_a_slow_but_steady_upload_arrives(front: Front, ada: httpx.Client) -> None:
    """1 Mbit/s, for longer than the front's patience."""
    zeros = b"# " + b"0" * 2**20 + b"\n"

    def slowly() -> Iterator[bytes]:
        form = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="slow.py"\r\n\r\n' + zeros + b"\r\n--x--\r\n"
        )
        for begin in range(0, len(form), 12_500):
            yield form[begin : begin + 12_500]
            time.sleep(0.1)

    begun = time.monotonic()
    answer = ada.post("apps", content=slowly(), headers={"Content-Type": FORM})
    assert answer.status_code == 201, answer.text
    assert time.monotonic() - begun > 2 * PATIENCE_S


def test_a_body_without_a_length_is_bounded_as_it_comes(front: Front, ada: httpx.Client) -> None:
    front.environment["SKERRY_MAX_UPLOAD_MB"] = "8"
    front.restart()
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield FILE
        for _ in range(256):
            yield b"x" * 2**20
            taken += 1

    with contextlib.suppress(httpx.TransportError):  # the front closes what it does not take in
        assert ada.post("apps", content=endless(), headers={"Content-Type": FORM}).status_code == 413
    assert taken < 64


def test_nobody_who_has_not_signed_in_fills_the_disk(front: Front) -> None:
    """What one who is not known may send is little, and stays in memory."""
    sent = 0
    with socket.create_connection(("127.0.0.1", front.port)) as one:
        one.sendall(head("/api/v1/apps", 2**30, kind=FORM))
        with contextlib.suppress(OSError):
            while sent < 2**26:
                sent += one.send(b"0" * 65536)
        said = one.recv(65536) if sent == 2**26 else b""
    assert b" 200 " not in said
    uploads = front.folder / "state" / "uploads"
    assert sum(file.stat().st_blocks for file in uploads.rglob("*")) == 0
    with socket.create_connection(("127.0.0.1", front.port)) as one:
        one.sendall(head("/api/v1/apps", 2**30, kind=FORM))
        assert one.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_front_with_slow_clients_stops_when_it_is_told(front: Front, ada: httpx.Client) -> None:
    crowd = Crowd(front, 50, head("/api/v1/jobs", 900_000, token_of(ada)), b"x")
    begun = time.monotonic()
    assert front.end(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 13
    crowd.end()
    front.start()
    assert httpx.post(f"{front.api}/tokens", json={"user": "ada", "password": PASSWORD}).status_code == 201
