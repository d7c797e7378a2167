"""The agent as a process of its own, with real apps under real keepers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from support.node import Controller

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
