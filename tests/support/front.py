"""A web front as it runs, for the tests that come from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from .rabbitmq import PrivateRabbit, free_ports
from .stores import Store

PASSWORD = "correct horse battery"
"""Ada's."""


def controller_settings(folder: Path, broker: PrivateRabbit, store: Store) -> dict[str, str]:
    """The environment of a controller's process that has its files in the folder."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SKERRY_")},
        "SKERRY_STATE_DIR": str(folder / "state"),
        "SKERRY_SHARE_DIR": str(folder / "share"),
        "SKERRY_BROKER_URL": broker.url,
        "SKERRY_BROKER_PASSWORD_FILE": str(broker.password_file),
        "SKERRY_BROKER_ADMIN_URL": broker.admin_url,
        **store.environment,
    }


class Front:
    """A web front in a process of its own."""

    def __init__(self, folder: Path, broker: PrivateRabbit, store: Store) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.url}/api/v1"
        self.folder = folder
        self.environment = {
            **controller_settings(folder, broker, store),
            "SKERRY_WEB_PORT": str(self.port),
            "SKERRY_MAX_UPLOAD_MB": "8",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "web.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "webfront", "web"], env=self.environment, stderr=log)
        until(lambda: self.health().get("broker") == "ok")

    def health(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = httpx.get(f"{self.api}/health").json()
        except httpx.HTTPError:
            return {}
        return found

    def end(self, sign: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(15)

    def restart(self) -> None:
        """With what has changed in its environment."""
        self.end(signal.SIGTERM)
        self.start()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "web.log").read_text().splitlines()]


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)
