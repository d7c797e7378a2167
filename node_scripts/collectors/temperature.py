"""How hot the machine is, and what its sensors call too hot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

_PROCESSOR_CHIPS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "acpitz")
"""Sensors of the processor, by Linux's names, the most telling first. Others may be a disk's or a radio's."""


class Temperature:
    """The hottest reading of the processor's sensor, or of any where none is known as the processor's."""

    def __init__(self, _state_dir: Path) -> None:
        pass

    def collect(self) -> Mapping[str, float | None]:
        """`temperature_c` with the sensor's own thresholds; nothing where there is no sensor."""
        read = getattr(psutil, "sensors_temperatures", None)
        sensors = read() if read is not None else {}
        names = [name for name in _PROCESSOR_CHIPS if sensors.get(name)][:1] or list(sensors)
        # Broken sensors say 0 or less.
        readings = [reading for name in names for reading in sensors[name] if reading.current > 0]
        if not readings:
            return {}
        hottest = max(readings, key=lambda reading: reading.current)
        warning, critical = hottest.high or None, hottest.critical or None
        if warning is not None and critical is not None and warning >= critical:
            warning = None  # some state the same for both, which leaves no range to slow down in
        return {
            "temperature_c": round(hottest.current, 1),
            "temperature_warning_c": warning,
            "temperature_critical_c": critical,
        }
