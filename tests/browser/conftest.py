"""A Chromium to look with, and two things to look at: a platform that `./quickstart` brought up, and a scratch site."""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import threading
import time
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.browsing import Platform, Site, Visitor

PROJECT = Path(__file__).resolve().parent.parent.parent
ARGUMENTS = (
    "--no-sandbox",  # a container's root has no user namespaces for it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
QUICKSTART_S = 300


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The distribution's Chromium (or `SKERRY_CHROMIUM`)."""
    path = os.environ.get("SKERRY_CHROMIUM") or shutil.which("chromium")
    assert path, "install the package chromium, or set SKERRY_CHROMIUM to one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Opens a page on a site: `visit(url, width=390, height=844, dark=True)`."""
    contexts = []

    def open_page(url: str, *, width: int = 1280, height: int = 900, dark: bool = False, **more: Any) -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **more
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visitor(context.new_page(), url)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the pages are kept: `SKERRY_ARTIFACTS/screenshots`."""
    folder = Path(os.environ.get("SKERRY_ARTIFACTS", PROJECT / "artifacts")) / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform at `SKERRY_WEB_URL` (`SKERRY_ADMIN_USER` and `SKERRY_ADMIN_PASSWORD_FILE` say who signs in then).

    Without it, one of its own that `./quickstart` brings up in a home and on ports of its own, and destroys at the end.
    """
    if given := os.environ.get("SKERRY_WEB_URL"):
        password = Path(os.environ["SKERRY_ADMIN_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
        yield Platform(given.rstrip("/"), os.environ.get("SKERRY_ADMIN_USER", "admin"), password)
        return
    own = {
        "SKERRY_HOME": str(tmp_path_factory.mktemp("platform") / "home"),
        "SKERRY_PORT_BASE": os.environ.get("SKERRY_BROWSER_PORT_BASE", "21450"),
    }
    environment = os.environ | own
    try:
        subprocess.run([PROJECT / "quickstart"], cwd=PROJECT, env=environment, check=True, timeout=QUICKSTART_S)
        told = subprocess.run(
            [PROJECT / "quickstart", "status", "--json"],
            cwd=PROJECT,
            env=environment,
            check=True,
            timeout=60,
            stdout=subprocess.PIPE,
        )
        status = json.loads(told.stdout)
        password = Path(status["admin_password_file"]).read_text(encoding="utf-8").strip()
        yield Platform(status["web_url"].rstrip("/"), status["admin_user"], password)
    finally:
        subprocess.run(
            [PROJECT / "quickstart", "destroy", "--yes"], cwd=PROJECT, env=environment, check=True, timeout=120
        )


class _Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *parts: object) -> None:
        pass


@pytest.fixture(scope="module", params=[True])
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The scratch site, filled; with the parameter False an empty one with a user alone."""
    from support.scratch import Scratch

    from webfront.application import create_app, create_services
    from webfront.broker.publisher import Publisher
    from webfront.database.schema import migrate_database, open_database
    from webfront.settings import Settings

    home = tmp_path_factory.mktemp("site")
    (home / "password").write_text("unused")
    settings = Settings.from_environment(
        {
            "SKERRY_STATE_DIR": str(home),
            "SKERRY_SHARE_DIR": str(home / "share"),
            "SKERRY_BROKER_URL": "amqp://skerry@127.0.0.1:1/",
            "SKERRY_BROKER_PASSWORD_FILE": str(home / "password"),
            "SKERRY_BROKER_ADMIN_URL": "http://127.0.0.1:1",
        }
    )
    migrate_database(settings.database_url)
    database = open_database(settings.database_url)
    scratch = Scratch(settings.share_dir, time.time())
    if request.param:
        scratch.fill()
    # The publisher is never started: a page shows what the database has.
    app = create_app(settings, services=create_services(settings, Publisher(settings.broker_address())))
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, _Threaded, _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Site(f"http://127.0.0.1:{server.server_port}", scratch)
    server.shutdown()
    server.server_close()
    database.close()
