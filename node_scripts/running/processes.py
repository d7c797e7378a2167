"""What a keeper sees of its app's processes, from /proc.

The keeper is a "child subreaper": whoever loses its parent among its descendants becomes its child, so that no process
leaves the tree below it, whatever session or group it moves to.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STRAY_ROUNDS: Final = 20


def descendants(pid: int) -> list[int]:
    """The process ids below `pid`, parents before children. A process that ends meanwhile may be missing."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = _children(waiting.pop())
        found += children
        waiting += children
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """The memory these processes have in use, shared pages counted once for each."""
    return sum(_resident(pid) for pid in pids)


def proportional_bytes(pids: Iterable[int]) -> int:
    """The same with shared pages divided among those who share them: exact, and dear (it walks page tables)."""
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
                    break
        except (OSError, ValueError):
            total += _resident(pid)
    return total


def hidden_bytes(pids: Iterable[int]) -> int:
    """What these processes hold in files without a name: deleted while open, or made in memory (memfd)."""
    files: dict[tuple[int, int], int] = {}
    for pid in pids:
        for status in _open_files(pid):
            if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                files[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(files.values())


def with_variables(variables: dict[str, str]) -> list[int]:
    """The processes that were started with these environment variables, as far as this user may look."""
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    found = []
    for name in _names("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            with suppress(OSError):
                if wanted <= set(Path(f"/proc/{name}/environ").read_bytes().split(b"\0")):
                    found.append(int(name))
    return found


def end_strays(variables: dict[str, str]) -> None:
    """Kill what a keeper that was killed itself could not: processes that were started with these variables."""
    for _ in range(_STRAY_ROUNDS):
        strays = with_variables(variables)
        if not strays:
            return
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def kernel_memory_kills() -> int:
    """How many processes the kernel has killed on this machine for want of memory, since it started."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def threads_of_user(uid: int) -> int:
    """How many threads this user has now; RLIMIT_NPROC counts those."""
    count = 0
    for name in _names("/proc"):
        if name.isdecimal():
            with suppress(OSError):
                if Path(f"/proc/{name}").stat().st_uid == uid:
                    count += len(_names(f"/proc/{name}/task"))
    return count


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in _names(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def _resident(pid: int) -> int:
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _names(folder: str) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208  as in `_read`


def _read(path: str) -> bytes:
    # Without objects around it: this runs many times a second in each keeper.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 65536)
    finally:
        os.close(fd)


def _open_files(pid: int) -> Iterator[os.stat_result]:
    with suppress(OSError):
        for fd in _names(f"/proc/{pid}/fd"):
            with suppress(OSError):
                yield Path(f"/proc/{pid}/fd/{fd}").stat()
