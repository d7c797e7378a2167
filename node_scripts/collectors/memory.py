"""How much memory there is, and how much of it could be had without swapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil


class Memory:
    """The machine's memory; caches that the kernel would give up count as free."""

    def __init__(self, _state_dir: Path) -> None:
        pass

    def collect(self) -> Mapping[str, float | None]:
        """`memory_gb`, `free_memory_gb` and `free_memory_percent`."""
        memory = psutil.virtual_memory()
        return {
            "memory_gb": round(memory.total / 1e9, 3),
            "free_memory_gb": round(memory.available / 1e9, 3),
            "free_memory_percent": round(100.0 * memory.available / memory.total, 1),
        }
