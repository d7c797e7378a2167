"""The node's own benchmark: how many times a second one core finds all primes up to 10,000 by trial division.

It counts processor time, not time on the clock, so that what else runs on the machine (which the load tells) hardly
changes the figure. It is measured at registration and on request, and kept in the state directory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

LIMIT: Final = 10_000
_ROUNDS: Final = 5
_ROUND_S: Final = 0.5
_FILE: Final = "benchmark.json"


class Benchmark(msgspec.Struct, frozen=True):
    """A measured figure."""

    events_per_second: float
    measured_at: float


def primes_up_to(limit: int) -> list[int]:
    """One event: all primes up to `limit`, each number divided by the primes up to its root."""
    primes: list[int] = []
    for number in range(2, limit + 1):
        for prime in primes:
            if prime * prime > number:
                primes.append(number)
                break
            if number % prime == 0:
                break
        else:
            primes.append(number)
    return primes


def measure(rounds: int = _ROUNDS, round_s: float = _ROUND_S, clock: Callable[[], float] = time.process_time) -> float:
    """Events per second: the best of some rounds, since whatever disturbs a round only makes it slower."""
    best = 0.0
    for _ in range(rounds):
        begun = clock()
        events = 0
        while (spent := clock() - begun) < round_s:
            primes_up_to(LIMIT)
            events += 1
        best = max(best, events / spent)
    return round(best, 1)


def store(state_dir: Path, benchmark: Benchmark) -> None:
    """Keep the figure: whole, or not at all if the process dies."""
    beside = state_dir / f".{_FILE}.{os.getpid()}"
    with beside.open("wb") as file:
        file.write(msgspec.json.encode(benchmark))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(state_dir / _FILE)


def load(state_dir: Path) -> Benchmark | None:
    """The figure that was kept; None if there is none that can be read."""
    try:
        return msgspec.json.decode((state_dir / _FILE).read_bytes(), type=Benchmark)
    except (OSError, msgspec.MsgspecError):
        return None
