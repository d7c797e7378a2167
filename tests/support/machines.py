"""Machines that boot systemd (tests/hosts/machines.py), for tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


def make_machine(name: str, owner: str, *options: str) -> dict[str, Any]:
    """A fresh machine: `name`, `address`, `port`, `user`, `host_key`."""
    made: dict[str, Any] = json.loads(_machines("create", name, f"--owner={owner}", *options))
    return made


def remove_machine(name: str) -> None:
    _machines("destroy", name)


def _machines(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "tests/hosts/machines.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
