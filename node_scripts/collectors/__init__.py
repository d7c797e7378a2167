"""What a node measures about itself: one module a figure, one line each in `COLLECTORS`.

A collector that fails, on a machine its author has not seen, is a missing figure, never a dead agent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from node_scripts.collectors import cpu, disk, memory, temperature
from wire.messages import Metrics

_log = logging.getLogger(__name__)


class Collector(Protocol):
    """Reads some of the fields of `wire.messages.Metrics`."""

    def collect(self) -> Mapping[str, float | None]:
        """Fields by their names in `Metrics`. May raise anything."""


COLLECTORS: Final[Mapping[str, Callable[[Path], Collector]]] = {
    "cpu": cpu.Cpu,
    "memory": memory.Memory,
    "disk": disk.Disk,
    "temperature": temperature.Temperature,
}
"""Each is made once, with the agent's state directory."""

_NOTHING_FREE: Final[Mapping[str, float]] = {
    "cpu_count": 0,
    "free_cpu_percent": 0.0,
    "memory_gb": 0.0,
    "free_memory_gb": 0.0,
    "free_memory_percent": 0.0,
}
"""For the figures that every node has: one that cannot tell them must not look free."""


class Collection:
    """All collectors of this process."""

    def __init__(self, state_dir: Path, collectors: Mapping[str, Callable[[Path], Collector]] = COLLECTORS) -> None:
        self._collectors: dict[str, Collector] = {}
        self._failed: set[str] = set()
        for name, make in collectors.items():
            try:
                self._collectors[name] = make(state_dir)
            except Exception:
                _log.exception("the figure %s cannot be measured on this machine", name)

    def collect(self) -> Metrics:
        """Today's figures, without the benchmark's."""
        values: dict[str, Any] = dict(_NOTHING_FREE)
        for name, collector in self._collectors.items():
            try:
                values.update(collector.collect())
            except Exception:
                if name not in self._failed:  # say it once, not every five seconds
                    _log.exception("the figure %s cannot be measured now", name)
                    self._failed.add(name)
            else:
                self._failed.discard(name)
        return Metrics(**values)
