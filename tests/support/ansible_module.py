"""Runs one of the project's Ansible modules as Ansible does: a process, arguments in, one JSON object out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[2] / "library"


def run_module(module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """The module's result, with `failed` in it when it failed."""
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}}
    done = subprocess.run(
        [sys.executable, str(LIBRARY / f"{module}.py")],
        input=json.dumps(given), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result
