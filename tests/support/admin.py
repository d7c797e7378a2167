"""`skerry-admin` as a process, on a database and a broker of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.rabbitmq import PrivateRabbit
from support.stores import Store

from webfront.broker.management import Management
from webfront.database import models
from webfront.database.models import Node

PROJECT = Path(__file__).resolve().parents[2]


class Admin:
    def __init__(self, folder: Path, rabbit: PrivateRabbit, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.api = Management(rabbit.admin_url, rabbit.user, rabbit.password, "/")
        self.env_file = folder / "webfront.env"
        self.env_file.write_text(
            f"# The controller's settings\nSKERRY_STATE_DIR={folder}\nSKERRY_SHARE_DIR='{folder}'\n"
            f'export SKERRY_BROKER_URL="{rabbit.url}"\nSKERRY_BROKER_PASSWORD_FILE={rabbit.password_file}\n'
            f"SKERRY_BROKER_ADMIN_URL={rabbit.admin_url}\n"
            + "".join(f"{name}={value}\n" for name, value in store.environment.items())
        )
        self.command = folder / "skerry-admin"
        run = f"exec '{sys.executable}' -m webfront.admin --env-file '{self.env_file}'"
        self.command.write_text(f"#!/bin/sh\ncd '{PROJECT}' && {run} \"$@\"\n")
        self.command.chmod(0o755)

    def __call__(self, *arguments: str, stdin: str = "", expect: int = 0) -> dict[str, Any]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SKERRY_")}
        done = subprocess.run(
            [str(self.command), *arguments],
            input=stdin, capture_output=True, text=True, env=environment, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        if expect:
            assert answer["changed"] is False
            assert answer["error"]["message"] in done.stderr
        return answer


@contextlib.contextmanager
def beating(name: str) -> Iterator[None]:
    """While the body runs the node is heard again and again, as the scheduler writes it."""
    stop = threading.Event()

    def beat() -> None:
        with models.database.obj.connection_context():
            while not stop.wait(0.3):
                Node.update(last_heartbeat_at=time.time()).where(Node.name == name).execute()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
