"""The platform's HTTP API, as far as the quickstart uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from embedded.home import ADMIN_USER, Home
from embedded.problems import Problem

_LOOK_EVERY_S: Final = 0.3


class Api:
    """A signed-in client. Its errors are `Problem`s."""

    def __init__(self, home: Home) -> None:
        self._http = httpx.Client(base_url=f"{home.web_url}/api/v1", timeout=30.0, trust_env=False)
        self._home = home

    def sign_in(self) -> None:
        """Get a token for the administrator."""
        password = self._home.admin_password_file.read_text(encoding="utf-8").strip()
        wish = {"user": ADMIN_USER, "password": password, "label": "quickstart"}
        try:
            token = self.call("POST", "/tokens", json=wish)["token"]
        except Problem as problem:
            raise Problem(
                f"signing in as {ADMIN_USER} failed: {problem.what}",
                f"If the password was changed since, put the new one into {self._home.admin_password_file}.",
            ) from problem
        self._http.headers["Authorization"] = f"Bearer {token}"

    def sign_out(self) -> None:
        """Give the token back."""
        self.call("DELETE", "/tokens/current")
        self._http.close()

    def call(self, method: str, path: str, *, tolerate: tuple[int, ...] = (), **body: Any) -> dict[str, Any]:
        """One call; the answer's object, empty for a tolerated error. Raises `Problem`."""
        response = self._send(method, path, **body)
        if response.status_code in tolerate:
            return {}
        if response.is_error:
            raise Problem(_reason(response), f"Look at {self._home.path / 'state'}/web.log for more.")
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def download(self, path: str) -> bytes:
        """A file's bytes."""
        response = self._send("GET", path)
        if response.is_error:
            raise Problem(_reason(response))
        return response.content

    def wait_until_healthy(self, seconds: float) -> None:
        """Until database and broker are in reach of the web front. Raises `Problem`."""

        def healthy() -> bool:
            try:
                return self._http.get("/health").status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

        if not wait_for(healthy, seconds):
            raise Problem(
                f"the web front at {self._home.web_url} does not report that it is healthy",
                f"Look at the logs {self._home.path / 'state'}/web.log and {self._home.path / 'rabbitmq/log'}.",
            )

    def _send(self, method: str, path: str, **body: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **body)
        except httpx.HTTPError as error:
            raise Problem(
                f"the web front at {self._home.web_url} does not answer: {error}",
                f"Look at {self._home.path / 'state'}/web.log, then run ./quickstart again.",
            ) from error


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the web front answered {response.status_code}"


def wait_for(done: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to be within so many seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def pack_folder(folder: Path, leave_out: tuple[str, ...]) -> bytes:
    """A zip of a folder, the same for the same content."""
    import io
    import zipfile

    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and name.parts[0] not in leave_out and "__pycache__" not in name.parts:
                archive.writestr(zipfile.ZipInfo(str(name)), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return body.getvalue()
