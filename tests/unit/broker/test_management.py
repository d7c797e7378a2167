"""What the broker fails at for a moment, as at a connection that ends while it is closed, is asked again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from webfront.broker import management
from webfront.broker.management import Management
from webfront.errors import BrokerUnavailable, Conflict

# A broker cannot be brought to fail at will.
ANSWERS: list[int] = []
ASKED: list[str] = []


class Failing(BaseHTTPRequestHandler):
    def do_DELETE(self) -> None:
        ASKED.append(self.path)
        self.send_response(ANSWERS.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Management]:
    monkeypatch.setattr(management, "_AGAIN_S", 0.01)
    ANSWERS.clear()
    ASKED.clear()
    with HTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Management(f"http://127.0.0.1:{server.server_port}", "user", "password", "/")
        server.shutdown()


def test_a_failure_that_passes_is_none(api: Management) -> None:
    ANSWERS.extend([500, 500, 204])
    assert api.delete("connections", "username", "node-a")
    assert ASKED == ["/api/connections/username/node-a"] * 3


def test_one_that_stays_is_told(api: Management) -> None:
    ANSWERS.extend([500] * 10)
    with pytest.raises(BrokerUnavailable, match="The broker failed at DELETE connections/username/node-a"):
        api.delete("connections", "username", "node-a")
    assert len(ASKED) == 4


def test_a_refusal_is_not_asked_again(api: Management) -> None:
    ANSWERS.extend([409, 404])
    with pytest.raises(Conflict):
        api.delete("queues", "/", "q")
    assert api.delete("queues", "/", "q") is False
    assert len(ASKED) == 2
