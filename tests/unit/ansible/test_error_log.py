"""nginx's error log as records: names, times, and nothing that came after a question mark."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from support.loading import load

PROGRAM = Path(__file__).resolve().parents[3] / "roles/nginx/files/errors.py"
REFUSED = (
    "<187>Nov 27 03:51:56 nginx: 2026/11/27 03:51:56 [error] 2259#2259: *3 connect() failed (111: Connection refused) "
    'while connecting to upstream, client: 192.0.2.7, server: , request: "GET /jobs?token=swordfish HTTP/2.0", '
    'upstream: "http://127.0.0.1:8460/jobs?token=swordfish", host: "skerry.test", referrer: "https://x/?swordfish"'
)


@pytest.fixture(scope="module")
def errors() -> ModuleType:
    return load("roles/nginx/files/errors.py")


def test_a_failed_request_is_told_by_its_parts(errors: ModuleType) -> None:
    assert errors.record(REFUSED, "proxy-1", 0.0) == {
        "@timestamp": "2026-11-27T03:51:56.000Z",
        "log.level": "error",
        "message": "connect() failed (111: Connection refused) while connecting to upstream",
        "log.logger": "nginx",
        "ecs.version": "8.11.0",
        "service.name": "nginx",
        "host.name": "proxy-1",
        "process.pid": 2259,
        "source.address": "192.0.2.7",
        "url.domain": "skerry.test",
        "url.path": "/jobs",
        "http.request.method": "GET",
        "skerry.front": "127.0.0.1:8460",
    }


@pytest.mark.parametrize(
    "message",
    [
        "2026/11/27 03:51:56 [crit] 1#1: *2 SSL_do_handshake() failed, client: ::1, server: [::]:443",
        '2026/11/27 03:51:56 [error] 1#1: *2 "/a?swordfish" is odd, client: ::1, request: "G?swordfish"',
        "nothing like it ?swordfish",
        "",
    ],
)
def test_whatever_comes_is_one_record_without_a_query(errors: ModuleType, message: str) -> None:
    made = json.dumps(errors.record(message, "proxy-1", 0.0))
    assert "swordfish" not in made
    assert json.loads(made)["@timestamp"].endswith(".000Z")


def test_it_writes_what_comes_to_its_socket(tmp_path: Path) -> None:
    """As systemd starts it, with the socket as descriptor 3; the file is renamed in between, as by logrotate."""
    log = tmp_path / "error.log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as given:
        given.bind(str(tmp_path / "socket"))
        shell = ["sh", "-c", 'exec "$@" 3<&0', "start", sys.executable, "-I", str(PROGRAM), str(log)]
        running = subprocess.Popen(shell, stdin=given.fileno())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nginx:
                for name in ("one.log", "two.log"):
                    nginx.sendto(REFUSED.encode(), str(tmp_path / "socket"))
                    until = time.monotonic() + 10
                    while not (log.exists() and log.read_text().endswith("\n")):
                        assert time.monotonic() < until
                        time.sleep(0.02)
                    log.rename(tmp_path / name)
        finally:
            running.kill()
            running.wait()
    written = [json.loads((tmp_path / name).read_text()) for name in ("one.log", "two.log")]
    assert [record["source.address"] for record in written] == ["192.0.2.7", "192.0.2.7"]
    # Equal lines are two.
    assert written[0]["event.id"] != written[1]["event.id"]
