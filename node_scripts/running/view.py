"""The file system as an app sees it: a mount namespace of its own, where the agent has the right to make one.

The node's state, the share and the cache are covered; of what is below them only the app's own folders are put back, at
the same paths. `/tmp` and `/var/tmp` are folders of the attempt, so that what is left there counts as its disk and goes
with it; `/dev/shm` is as small as the app's memory; `/proc` shows its own processes only. All else is read-only, so
that nothing stays in a folder that anybody may write to. System V's shared memory, semaphores and message queues are in
an IPC namespace, which the keeper has made: there are few of them, and they end with it.

It stands in front of the file permissions, not in their place: where the right is missing (no CAP_SYS_ADMIN in a
container) those hold alone, and every folder on the way to an app must then let other users pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from node_scripts.running import kernel, overlay
from node_scripts.running.limits import MB
from node_scripts.running.users import unreachable_part

_REMOUNT: Final = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV
_TEMPORARY: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  these are the folders to cover


@dataclass(frozen=True)
class View:
    """What an app may see of the folders that are covered."""

    covered: tuple[Path, ...]
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    temporary: Path
    """Becomes `/tmp` and `/var/tmp`."""
    memory_mb: int
    """The app's: half of it may be in `/dev/shm`."""
    layers: overlay.Layers | None = None


def plan_covers(secret: Iterable[Path], kept: Iterable[Path]) -> tuple[Path, ...]:
    """The folders to cover, outermost only, resolved: the secret ones, and those that would stop the app on its way.

    A folder that other users cannot pass (`/root`) is covered too: the kept folders below it are put back in a new one
    that they can pass.
    """
    wanted = {path.resolve() for path in secret if path.exists()}
    for path in kept:
        obstacle = unreachable_part(path.resolve())
        if obstacle is not None:
            wanted.add(obstacle if obstacle != path.resolve() else obstacle.parent)
    wanted = {path for path in wanted if not _below(path, _TEMPORARY)}
    return tuple(sorted(path for path in wanted if not _below(path, wanted - {path})))


def enter(view: View) -> None:
    """Give the calling process and its children this view. Only for a process about to become an app's. Needs root.

    It is in an IPC namespace that is the app's alone, and whose bounds are set here.
    """
    covered = (*view.covered, *(path for path in _TEMPORARY if path.is_dir()))
    kept = [(path.resolve(), path in view.writable) for path in (*view.readable, *view.writable)]
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    if view.layers is not None:
        overlay.lay(view.layers)
    # Opened in the new namespace (a bind mount takes none of another's) and before they are covered.
    put_back = [
        (path, os.open(path, os.O_PATH | os.O_CLOEXEC), writable) for path, writable in kept if _below(path, covered)
    ]
    temporary = os.open(view.temporary, os.O_PATH | os.O_CLOEXEC)
    with suppress(OSError):  # a kernel before 5.12
        kernel.mount_read_only("/")
    for path in covered:
        if path in _TEMPORARY:
            kernel.mount(f"/proc/self/fd/{temporary}", path, None, kernel.MS_BIND)
            kernel.mount("none", path, None, _REMOUNT)
        else:
            kernel.mount("tmpfs", path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m")
    os.umask(0o022)
    for path, fd, writable in put_back:
        path.mkdir(parents=True, exist_ok=True)
        kernel.mount(f"/proc/self/fd/{fd}", path, None, kernel.MS_BIND)
        read_only = 0 if writable else kernel.MS_RDONLY
        kernel.mount(
            "none", path, None, kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV | read_only
        )
    for path in view.covered:
        kernel.mount(
            "none",
            path,
            None,
            kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_RDONLY,
        )
    if Path("/dev/shm").is_dir():  # noqa: S108
        options = f"mode=1777,size={max(1, view.memory_mb // 2)}m"
        kernel.mount("tmpfs", Path("/dev/shm"), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)  # noqa: S108
    with suppress(OSError):  # a kernel before 5.8 cannot set this for one mount alone
        kernel.mount("proc", Path("/proc"), "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "hidepid=2")
    # By the new one: the old one is read-only here, and in a container perhaps everywhere.
    for name, value in _ipc_bounds(view.memory_mb).items():
        with suppress(OSError):
            Path("/proc/sys/kernel", name).write_text(value)


def _ipc_bounds(memory_mb: int) -> dict[str, str]:
    """What may be in the IPC namespace: the kernel's defaults there are terabytes, and no process's memory."""
    pages = memory_mb * MB // os.sysconf("SC_PAGE_SIZE")
    return {"shmall": str(pages), "msgmni": "128", "msgmnb": "16384", "sem": "32000 64000 500 512"}


@cache
def available() -> bool:
    """Whether this process has the right to give its children a view of their own. Tried once."""
    return can_be_made()


def can_be_made() -> bool:
    """Whether a child can be given a view of its own now. Tried in a child; raises OSError where none can be made."""
    child = os.fork()
    if child == 0:
        try:
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
            kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
            kernel.mount("tmpfs", Path("/tmp"), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)  # noqa: S108
            os._exit(0)
        except OSError:
            pass
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)
