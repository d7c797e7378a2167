"""How much of the processors is free, and the load average."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

_SHORTEST_S: Final = 0.5
"""Over less than this the kernel's clock ticks (a hundredth of a second) say too little."""


class Cpu:
    """Free percent over the time since the measurement before."""

    def __init__(self, _state_dir: Path) -> None:
        self._at = time.monotonic()
        self._idle, self._total = _times()
        self._free = 100.0

    def collect(self) -> Mapping[str, float | None]:
        """`cpu_count`, `free_cpu_percent` and `load_1m`."""
        now = time.monotonic()
        if now - self._at >= _SHORTEST_S:
            idle, total = _times()
            if total > self._total:
                self._free = min(100.0, max(0.0, 100.0 * (idle - self._idle) / (total - self._total)))
            self._at, self._idle, self._total = now, idle, total
        return {
            "cpu_count": psutil.cpu_count() or 1,
            "free_cpu_percent": round(self._free, 1),
            "load_1m": round(os.getloadavg()[0], 2),
        }


def _times() -> tuple[float, float]:
    """Idle and all processor seconds since boot. Waiting for a disk leaves the processor free for others."""
    times = psutil.cpu_times()
    # Linux counts guests' time in user and nice already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return times.idle + getattr(times, "iowait", 0.0), total
