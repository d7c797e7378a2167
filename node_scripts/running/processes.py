"""What a keeper sees of its app's processes, from /proc.

The keeper is a "child subreaper": whoever loses its parent among its descendants becomes its child, so that no process
leaves the tree below it, whatever session or group it moves to.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STRAY_ROUNDS: Final = 20
_LONGEST_MAPS: Final = 2**22


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


def proportional_bytes(pids: Iterable[int]) -> tuple[int, int]:
    """The same with shared pages divided among those who share them: exact, and dear (it walks page tables).

    First without what is in files in memory, then those.
    """
    total = shared = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
                elif line.startswith("Pss_Shmem:"):
                    shared += int(line.split()[1]) * 1024
                    break
        except (OSError, ValueError):
            total += _resident(pid)
    return total - shared, shared


class Nameless(NamedTuple):
    """Bytes that processes hold in files without a name."""

    disk: int
    """Deleted while they were open or mapped."""
    memory: int
    """Made in memory: memfd, shared anonymous memory, System V segments, all that is in `/dev/shm`."""


class NamelessFiles:
    """Finds those of an app's processes."""

    def __init__(self, *, is_apart: bool, owner: int | None) -> None:
        """`is_apart`: `/dev/shm` is theirs alone, and so is their IPC namespace, in which the caller is, too.

        Elsewhere those segments are theirs that their user, the `owner`, has made.
        """
        self._is_apart = is_apart
        self._owner = owner
        self._own_shm = _device("/dev/shm")  # noqa: S108
        fd = os.memfd_create("skerry")
        self._memory = os.fstat(fd).st_dev  # the kernel's own, on which all of these files are
        os.close(fd)

    def measure(self, pids: Sequence[int]) -> Nameless:
        """What these processes hold. What belongs to one that ends meanwhile may be missing."""
        files = {(self._memory, one): size for one, size in self._segments()}
        shm, shm_bytes = self._shm(pids)
        for pid in pids:
            for status in (*_open_files(pid), *_mapped_files(pid)):
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                    files.setdefault((status.st_dev, status.st_ino), status.st_blocks * 512)
        memory = shm_bytes
        disk = 0
        for (device, _), size in files.items():
            if device == self._memory:
                memory += size
            elif device != shm:
                disk += size
        return Nameless(disk, memory)

    def _shm(self, pids: Sequence[int]) -> tuple[int, int]:
        """The device of their `/dev/shm`, and the bytes in it."""
        for pid in pids if self._is_apart else ():
            with suppress(OSError):
                fd = os.open(f"/proc/{pid}/root/dev/shm", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    used, device = os.fstatvfs(fd), os.fstat(fd).st_dev
                    if device != self._own_shm:
                        return device, (used.f_blocks - used.f_bfree) * used.f_frsize
                finally:
                    os.close(fd)
        return -1, 0

    def _segments(self) -> Iterator[tuple[int, int]]:
        """The System V segments by their ids, which are their inodes too, with the bytes they take."""
        with suppress(OSError, ValueError, IndexError):
            for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
                words = line.split()
                if self._is_apart or int(words[9]) == self._owner:
                    yield int(words[1]), int(words[14]) + int(words[15])


def shared_bytes(pids: Iterable[int]) -> int:
    """How much of what `resident_bytes` says is in files in memory, as of `Nameless.memory`."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            total += int(_read(f"/proc/{pid}/status").split(b"RssShmem:")[1].split()[0]) * 1024
    return total


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


def _device(path: str) -> int:
    """The device that this is on, -1 where there is no such thing."""
    try:
        return os.stat(path).st_dev  # noqa: PTH116  as in `_read`
    except OSError:
        return -1


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


def _mapped_files(pid: int) -> Iterator[os.stat_result]:
    """The files that this process has mapped and that have no name, each once; those it may have closed."""
    seen = set()
    with suppress(OSError, ValueError):
        with open(f"/proc/{pid}/maps", "rb") as file:  # noqa: PTH123  as in `_read`
            lines = file.read(_LONGEST_MAPS).splitlines()
        for line in lines:
            if not line.endswith(b" (deleted)"):
                continue
            area, _, _, device, inode, _ = line.split(None, 5)
            if (device, inode) in seen:
                continue
            seen.add((device, inode))
            begin, end = (int(part, 16) for part in area.split(b"-"))
            with suppress(OSError):
                yield os.stat(f"/proc/{pid}/map_files/{begin:x}-{end:x}")  # noqa: PTH116  as in `_read`


def _open_files(pid: int) -> Iterator[os.stat_result]:
    with suppress(OSError):
        for fd in _names(f"/proc/{pid}/fd"):
            with suppress(OSError):
                yield Path(f"/proc/{pid}/fd/{fd}").stat()
