"""What tests in the browser look at, and with whose eyes."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
import wsgiref.simple_server
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page
from support.scratch import Scratch

from webfront.application import create_app, create_services
from webfront.broker.publisher import Publisher
from webfront.database.schema import migrate_database, open_database
from webfront.settings import Settings


@dataclass
class Visitor:
    """A signed-in page, and what went wrong in it: errors on the console, uncaught exceptions."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda one: self.problems.append(one.text) if one.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def sign_in(self, user: str, password: str) -> None:
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("User name").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.url}/")

    def goto(self, path: str) -> None:
        self.page.goto(self.url + path)


@dataclass(frozen=True)
class Platform:
    """A running platform and who may sign in to it."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class Site:
    """A web front on a database that a test fills; nothing else runs."""

    url: str
    scratch: Scratch
    """What fills it: the ids of its jobs and plays."""


@contextlib.contextmanager
def scratch_site(home: Path, more: Mapping[str, str] = {}, *, filled: bool = True) -> Iterator[Site]:
    """The scratch site in this folder, filled or with a user alone, with further settings."""
    (home / "password").write_text("unused")
    settings = Settings.from_environment(
        {
            "SKERRY_STATE_DIR": str(home),
            "SKERRY_SHARE_DIR": str(home / "share"),
            "SKERRY_BROKER_URL": "amqp://skerry@127.0.0.1:1/",
            "SKERRY_BROKER_PASSWORD_FILE": str(home / "password"),
            "SKERRY_BROKER_ADMIN_URL": "http://127.0.0.1:1",
            **more,
        }
    )
    migrate_database(settings.database_url)
    database = open_database(settings.database_url)
    scratch = Scratch(settings.share_dir, time.time())
    if filled:
        scratch.fill()
    # The publisher is never started: a page shows what the database has.
    app = create_app(settings, services=create_services(settings, Publisher(settings.broker_address())))
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, _Threaded, _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Site(f"http://127.0.0.1:{server.server_port}", scratch)
    server.shutdown()
    server.server_close()
    database.close()


class _Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *parts: object) -> None:
        pass
