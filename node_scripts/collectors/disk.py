"""How much room there is for attempts and virtual environments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil


class Disk:
    """The file system that holds the agent's state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = str(state_dir)

    def collect(self) -> Mapping[str, float | None]:
        """`free_disk_gb`: what an ordinary user may still write."""
        return {"free_disk_gb": round(psutil.disk_usage(self._state_dir).free / 1e9, 2)}
