"""Clients of a web front by the hundred, and how long anybody else waits beside them."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

import httpx

from .front import Front


class Crowd:
    """Connections that say the same, and then a byte a second."""

    def __init__(self, front: Front, count: int, head: bytes, drip: bytes) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", front.port)) for _ in range(count)]
        self._drip = drip
        self._over = threading.Event()
        for one in self.sockets:
            one.sendall(head)
            one.setblocking(False)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        while self._drip and not self._over.wait(1.0):
            for one in self.sockets:
                with contextlib.suppress(OSError):
                    one.send(self._drip)

    def closed(self) -> int:
        """How many the front has ended."""
        poll = select.poll()
        for one in self.sockets:
            poll.register(one, select.POLLIN)
        readable = {descriptor for descriptor, _ in poll.poll(0)}
        ended = 0
        for one in self.sockets:
            if one.fileno() in readable:
                with contextlib.suppress(BlockingIOError):
                    try:
                        while one.recv(65536):
                            pass
                        ended += 1
                    except ConnectionError:
                        ended += 1
        return ended

    def answers(self) -> set[bytes]:
        """The first lines of what the front has said to those who heard anything."""
        found = set()
        for one in self.sockets:
            with contextlib.suppress(OSError):
                found.add(one.recv(65536).partition(b"\r\n")[0])
        return found - {b""}

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        for one in self.sockets:
            one.close()


def slowest(front: Front, ada: httpx.Client, seconds: float) -> float:
    """The longest that anybody else waited meanwhile."""
    worst, until_then = 0.0, time.monotonic() + seconds
    asks: tuple[Callable[[], httpx.Response], ...] = (
        lambda: httpx.get(f"{front.api}/health", timeout=10),
        lambda: httpx.get(f"{front.url}/login", timeout=10),
        lambda: ada.get("jobs", timeout=10),
    )
    while time.monotonic() < until_then:
        for ask in asks:
            begun = time.monotonic()
            assert ask().status_code == 200
            worst = max(worst, time.monotonic() - begun)
        time.sleep(0.1)
    return worst
