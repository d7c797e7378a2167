"""The agent as a process of its own, with real apps under real keepers."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
from support.node import Controller
from support.platform import Platform

from webfront.broker.admission import admit, dismiss
from webfront.database.models import AppVersion
from wire.messages import AppRef

PROJECT = Path(__file__).resolve().parents[2]

APP = """
import argparse, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--output", type=pathlib.Path)
parser.add_argument("--ticks", type=int)
parser.add_argument("--pause", type=float)
arguments = parser.parse_args()
for tick in range(1, arguments.ticks + 1):
    print("tick", tick, flush=True)
    time.sleep(arguments.pause)
(arguments.output / "predictions.csv").write_text(f"ticks\\n{arguments.ticks}\\n")
"""


class AgentProcess:
    """`python -m node_scripts agent`, as the process manager starts it."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment = {**os.environ, **environment, "PYTHONPATH": str(PROJECT)}
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "node_scripts", "agent"], env=self.environment, cwd=PROJECT, stderr=log
            )
        return self.process

    def signal(self, number: signal.Signals) -> float:
        """Send a signal and wait for the end; the seconds that took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(10)
        return time.monotonic() - begun


def keepers(controller: Controller) -> list[psutil.Process]:
    """The keepers of this node, by the folder of an attempt that they hold open."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "skerry-keeper" and any(
                file.path.startswith(str(controller.directory)) for file in process.open_files()
            ):
                found.append(process)
    return found


def place(controller: Controller, script: str, version: str) -> AppRef:
    """Put this script on the share, as a version of its own."""
    folder = controller.directory / "share" / "apps" / version
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(script)
    return AppRef(name="test", version=version)


def put_app(platform: Platform, name: str, files: Mapping[str, str], **manifest: object) -> AppVersion:
    """A version of an app, with its files on the share."""
    version = platform.app(name, **manifest)
    for path, content in files.items():
        file = platform.directory / "share/apps" / version.hash / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return version


@contextlib.contextmanager
def working_agent(
    platform: Platform, command: Sequence[str] = (sys.executable, "-m"), *, name: str = "alpha", **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The agent of the node `name`, at work under the platform's scheduler; `more` is added to its environment."""
    password_file = platform.directory / f"{name}.password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    admit(platform.api, name, password_file.read_text())
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "SKERRY_NODE_ID": name,
        "SKERRY_NODE_STATE_DIR": str(platform.directory / name),
        "SKERRY_SHARE_DIR": str(platform.directory / "share"),
        "SKERRY_BROKER_URL": f"amqp://node-{name}@127.0.0.1:{platform.rabbit.port}/",
        "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
        "SKERRY_HEARTBEAT_S": "0.5",
        **more,
    }
    with (platform.directory / "agent.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "node_scripts", "agent"], env=environment, cwd=platform.directory, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        dismiss(platform.api, name)
