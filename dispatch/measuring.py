"""The figures of machines without an agent: a play every minute about all of them, and what heartbeats tell in between.

The node's heartbeats go out every few seconds, as an agent's do, with the newest figures there are, and so renew the
leases of what runs there. Once three measurings in a row were in vain they say that the machine is out of reach, and
the scheduler gives it up. The newest figures are kept on disk, so that a restart of this process costs nobody a lease.

Each measuring also tells the machine which attempts are wanted there; it ends and removes all others. And it is by its
readings that such a machine counts as one that can take none: by the room on its disk, and by what it has refused an
attempt for, until a measuring finds that it would not any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from dispatch.line import Reached
from dispatch.plays import Plays
from node_scripts.running.interface import Refused
from node_scripts.running.rooms import read_record, write_record
from node_scripts.running.soundness import LEAST_FREE_MB
from webfront.fleet.agentless import MISSES
from wire.messages import Metrics
from wire.refusals import Refusal

_log = logging.getLogger(__name__)


class Measured(msgspec.Struct, frozen=True):
    """What a machine said last."""

    at: float
    metrics: Metrics
    arch: str = ""
    refusals: tuple[Refused, ...] = ()
    """What it refuses for itself."""


class FarMachine:
    """See `node_scripts.elsewhere.Elsewhere`."""

    def __init__(
        self,
        file: Path,
        every_s: float,
        measure_again: Callable[[], Any],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`file` keeps the newest figures; `measure_again` begins a measuring with a benchmark and can be awaited."""
        self._file = file
        self._every_s = every_s
        self._measure_again = measure_again
        self._now = now
        self._measured = read_record(file, Measured)
        self._misses = MISSES
        if self._measured is not None:
            age = now() - self._measured.at
            self._misses = int(age // every_s) if age >= 0 else 0
        self.heard = asyncio.Event()

    @property
    def arch(self) -> str:
        return self._measured.arch if self._measured is not None else ""

    def collect(self) -> Metrics | None:
        """See `Elsewhere.collect`."""
        if self._measured is None or self._misses >= MISSES:
            return None
        return self._measured.metrics

    async def benchmark(self) -> bool:
        """See `Elsewhere.benchmark`."""
        return bool(await self._measure_again())

    def refusal(self) -> Refused | None:
        """What it cannot do for itself, by its newest reading."""
        if self._measured is None:
            return None
        if self._measured.refusals:
            return self._measured.refusals[0]
        free = self._measured.metrics.free_disk_gb
        if free is not None and free * 1000 < LEAST_FREE_MB:
            return Refused(Refusal.NO_SPACE, f"{free * 1000:.0f} MB are free on the machine")
        return None

    def refused(self, kind: str, words: str) -> None:
        """It has refused an attempt for itself; the next reading says whether it would again."""
        if self._measured is not None:
            self._keep(msgspec.structs.replace(self._measured, refusals=(Refused(kind, words),)))

    def measured(self, metrics: Metrics, arch: str, refusals: tuple[Refused, ...] = ()) -> None:
        """The machine answered."""
        at = self._now()
        self._misses = 0
        self._keep(Measured(at, msgspec.structs.replace(metrics, measured_at=at), arch, refusals))
        self.heard.set()

    def _keep(self, measured: Measured) -> None:
        self._measured = measured
        try:
            write_record(self._file, measured, sync=False)
        except OSError as error:
            _log.warning("figures cannot be kept: %s", error)

    def missed(self) -> int:
        """The machine did not answer; how often in a row."""
        self._misses += 1
        return self._misses


class Measurable(Protocol):
    """A node as the measuring needs it."""

    @property
    def node(self) -> Reached: ...
    @property
    def machine(self) -> FarMachine: ...
    def known(self) -> tuple[int, tuple[str, ...]]: ...


async def measure(plays: Plays, nodes: Mapping[str, Measurable], *, benchmark: bool = False) -> frozenset[str]:
    """Measure these nodes with one play; those that answered. Each is told of what it said, or that it said nothing."""
    asked = {}
    for name, one in nodes.items():
        serial, held = one.known()
        asked[name] = (one.node, {"dispatch_measure": [str(serial), *held], "dispatch_benchmark": benchmark})
    loop = asyncio.get_running_loop()
    answered = set()

    def take(name: str, said: Measured) -> None:
        if name not in answered:
            answered.add(name)
            nodes[name].machine.measured(said.metrics, said.arch, said.refusals)

    def heard(name: str, said: Any) -> None:
        if name in nodes and (read := _read(said)) is not None:
            loop.call_soon_threadsafe(take, name, read)

    try:
        await plays.measure(asked, heard)
    except Exception:
        _log.exception("nodes without an agent cannot be measured")
    await asyncio.sleep(0)  # what was heard last
    for name, one in nodes.items():
        if name not in answered:
            misses = one.machine.missed()
            _log.warning("%s could not be measured, %d times in a row", name, misses, extra={"skerry.node": name})
    return frozenset(answered)


def _read(said: Any) -> Measured | None:
    """What `measure` of the kit printed; None for anything else."""
    try:
        told = json.loads(said)
        refusals = msgspec.convert(told.get("refusals", []), tuple[Refused, ...])
        return Measured(
            time.time(), msgspec.convert(told["metrics"], Metrics), str(told.get("arch", ""))[:32], refusals
        )
    except (ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None
