"""The limits a process is started with. What the kernel cannot count for a group of processes, the keeper watches."""

from __future__ import annotations

import math
import os
import resource
from contextlib import suppress
from typing import Final

from wire.messages import Resources

MB: Final = 10**6
_OPEN_FILES: Final = 4096
_CPU_GRACE_S: Final = 5
_OOM_SCORE: Final = 800

_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def kernel_limits(resources: Resources, *, others: int = 0) -> dict[int, int]:
    """What `setrlimit` holds each process to. `others`: threads the same user has already, which NPROC counts too.

    DATA counts what is asked for, not what is used, and libraries ask for much (a stack of 8 MB a thread, 32 MB a
    thread in OpenBLAS). So it is only a backstop, at twice the memory and a gigabyte: it stops an allocation that is
    too big at once, before the keeper's next look. CPU too: the keeper's clock ends the app before that.
    """
    return {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: math.ceil(resources.timeout_s * max(1, resources.cpus)) + _CPU_GRACE_S,
        resource.RLIMIT_FSIZE: resources.disk_mb * MB,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_NPROC: resources.processes + others,
        resource.RLIMIT_DATA: 2 * resources.memory_mb * MB + 1000 * MB,
    }


def apply(resources: Resources, *, spread: int, others: int = 0) -> None:
    """Hold this process and its children to their limits. `spread` numbers the slot, to give each other processors."""
    for kind, wanted in kernel_limits(resources, others=others).items():
        _, hard = resource.getrlimit(kind)
        # A root without CAP_SYS_RESOURCE (a container) may lower a limit and never raise it.
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))
    os.sched_setaffinity(0, processors(resources.cpus, spread, os.sched_getaffinity(0)))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123  pathlib is dearer, at each launch
        file.write(str(_OOM_SCORE))  # when the machine runs out of memory, jobs go before the agent does


def processors(count: int, spread: int, available: set[int]) -> set[int]:
    """Which of the available processors a slot gets: `count` of them, neighbours in a ring, another start each slot."""
    ring = sorted(available)
    count = max(1, min(count, len(ring)))
    return {ring[(spread * count + step) % len(ring)] for step in range(count)}


def thread_variables(cpus: int) -> dict[str, str]:
    """Tells numerical libraries how many threads to start; they would otherwise take the whole machine's count."""
    return dict.fromkeys(_THREAD_VARIABLES, str(max(1, cpus)))
