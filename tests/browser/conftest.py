"""A Chromium to look with, and two things to look at: a platform that `./quickstart` brought up, and a scratch site."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.browsing import Platform, Site, Visitor, scratch_site

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


@pytest.fixture(scope="module", params=[True])
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The scratch site, filled; with the parameter False an empty one with a user alone."""
    with scratch_site(tmp_path_factory.mktemp("site"), filled=request.param) as made:
        yield made
