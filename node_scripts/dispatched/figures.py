"""What a machine without an agent says of itself, from /proc and /sys: the fields of `wire.messages.Metrics`.

The agent's collectors ask psutil, which is not here.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from node_scripts import benchmark
from node_scripts.dispatched.places import Places

_CPU_S: Final = 0.5
_PROCESSOR_CHIPS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "acpitz")


def measure(places: Places) -> dict[str, float | None]:
    """All figures; one that cannot be told is missing or None."""
    kept = benchmark.load(places.state)
    idle, total = _times()
    time.sleep(_CPU_S)
    later_idle, later_total = _times()
    spent = later_total - total
    memory = _memory()
    size = memory["MemTotal"]
    available = memory.get("MemAvailable", memory.get("MemFree", 0))
    return {
        "cpu_count": os.cpu_count() or 1,
        "free_cpu_percent": round(100.0 * (later_idle - idle) / spent, 1) if spent > 0 else 100.0,
        "load_1m": round(os.getloadavg()[0], 2),
        "memory_gb": round(size / 1e9, 3),
        "free_memory_gb": round(available / 1e9, 3),
        "free_memory_percent": round(100.0 * available / size, 1),
        "free_disk_gb": round(shutil.disk_usage(places.root).free / 1e9, 2),
        "events_per_second": kept.events_per_second if kept is not None else None,
        **_temperature(),
    }


def _times() -> tuple[float, float]:
    """Idle and all processor ticks since boot; guests' time is in user and nice already."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _memory() -> dict[str, int]:
    found = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024
    return found


def _temperature(hwmon: Path = Path("/sys/class/hwmon")) -> dict[str, float | None]:
    """The hottest reading of the processor's sensor, or of any where none is known as the processor's."""
    chips: dict[str, list[Path]] = {}
    with suppress(OSError):
        for chip in hwmon.iterdir():
            with suppress(OSError):
                chips.setdefault((chip / "name").read_text().strip(), []).extend(chip.glob("temp*_input"))
    names = [name for name in _PROCESSOR_CHIPS if chips.get(name)][:1] or list(chips)
    hottest: tuple[float, Path] | None = None
    for path in (one for name in names for one in chips[name]):
        reading = _degrees(path)
        if reading is not None and reading > 0 and (hottest is None or reading > hottest[0]):
            hottest = reading, path
    if hottest is None:
        return {}
    stem = hottest[1].name.removesuffix("_input")
    warning, critical = (_degrees(hottest[1].with_name(f"{stem}_{one}")) or None for one in ("max", "crit"))
    if warning is not None and critical is not None and warning >= critical:
        warning = None
    return {
        "temperature_c": round(hottest[0], 1),
        "temperature_warning_c": warning,
        "temperature_critical_c": critical,
    }


def _degrees(path: Path) -> float | None:
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None
