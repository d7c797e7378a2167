"""What the HTTP server's process does for its sockets."""

from __future__ import annotations

import socket
from pathlib import Path

from webfront.server import set_patience


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_socket_that_listens_is_found_and_one_that_is_awaited_costs_nothing(tmp_path: Path) -> None:
    with socket.socket() as server, (tmp_path / "file").open("w"):
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        before = open_files()
        for _ in range(20):
            assert not set_patience(port, 4.0)
        assert open_files() == before
        server.listen()
        assert set_patience(port, 4.0)
        assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
        assert open_files() == before
