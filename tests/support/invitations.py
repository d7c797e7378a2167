"""Machines that join by themselves, for tests: what one says, and a platform without its plays process."""

from __future__ import annotations

import ssl
import threading
import time
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from webfront.database.connection import transaction
from webfront.database.models import Node
from webfront.invitations import offers
from webfront.secretbox import SecretBox
from webfront.settings import Settings

KEY = "k" * 43
OTHER_KEY = "o" * 43
TOLD: dict[str, Any] = {
    "host": "attic.example",
    "addresses": ["10.0.0.7"],
    "arch": "x86_64",
    "system": "debian 13",
    "python": "3.13",
    "code": "ABC-234",
}
PASSWORD = "broker password of a node"


def make_key(settings: Settings) -> None:
    """The key file of secrets in the database."""
    settings.secrets_key_file.parent.mkdir(parents=True, exist_ok=True)
    settings.secrets_key_file.write_bytes(Fernet.generate_key())
    settings.secrets_key_file.chmod(0o600)


def headers(token: str, key: str = KEY) -> dict[str, str]:
    return {"Skerry-Token": token, "Skerry-Machine": key}


def admit(settings: Settings, node: str) -> Path:
    """What the play `admit` leaves behind. The archive that goes with it."""
    archive = settings.share_dir / offers.FOLDER / "packages-0123456789abcdef.tar.gz"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(b"packages")
    variables = {"node_agent_name": node, "node_agent_broker_password": PASSWORD}
    with transaction():
        assert offers.seal_offer(
            SecretBox(settings.secrets_key_file), node, variables, {"ansible": archive}, time.time()
        )
    return archive


def heard(node: str) -> None:
    Node.update(state="active", last_heartbeat_at=time.time()).where(Node.name == node).execute()


@contextmanager
def served(app: Callable[..., Any], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The application at an address of its own."""

    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
