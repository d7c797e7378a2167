"""A TCP proxy that cuts the connection in place of passing an answer on: the request arrived, and was carried out.

Or it says nothing any more, as a way does that was cut between two machines that are not told.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Cut:
    """`drop` says of how many connections no answer arrives; `dropped` counts them."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.drop = 0
        self.dropped = 0
        self.silent = False
        """Nothing is passed on, to nobody, as long as it is set; and what was not is lost."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        # `close` alone would leave the other thread waiting in `accept`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := client.recv(65536):
                server.sendall(part)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := server.recv(65536):
                if self._is_to_be_dropped():
                    break
                if self.silent:
                    continue
                client.sendall(part)
        for one in (client, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _is_to_be_dropped(self) -> bool:
        with self._lock:
            drops = self.dropped < self.drop
            self.dropped += drops
            return drops


@contextlib.contextmanager
def cut(upstream: int) -> Iterator[Cut]:
    """In front of this port."""
    made = Cut(upstream)
    try:
        yield made
    finally:
        made.close()
