"""A webhook's receiver: a real HTTP server that keeps what it is sent and answers as the test says."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def delivery(self) -> str:
        return self.headers["skerry-delivery"]


Answer = Callable[[Received, http.server.BaseHTTPRequestHandler], None]


def answering(status: int, *, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    def answer(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class Receiver:
    """`answer` may be changed at any time; `received` grows, in the order of arrival."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[Received] = []
        self.answer: Answer = answering(204)

    def url(self, path: str = "/hook", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def deliveries(self) -> list[str]:
        return [one.delivery for one in self.received]


@contextlib.contextmanager
def receiver(*, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made: Receiver

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed in the middle of it
                self.close_connection = True
                return
            received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            made.received.append(received)
            with contextlib.suppress(OSError):  # the sender may have had enough
                made.answer(received, self)

        def log_message(self, *args: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        # Not waited for at the end: a handler may hang on purpose.
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """A sender that breaks off is expected here."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    made = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
