"""The file system as an app sees it: a mount namespace of its own, where the agent has the right to make one.

The node's state, the share and the cache are covered; of what is below them only the app's own folders are put back, at
the same paths. `/tmp` and `/var/tmp` are folders of the attempt, so that what is left there counts as its disk and goes
with it; `/dev/shm` is as small as the app's memory; `/proc` shows its own processes only. System V shared memory and
message queues end with it (an IPC namespace).

An app's own folder is an overlay: its files as they were uploaded below, what the app writes above, in the attempt's
folder. So an app may change what it came with, and the next job finds it as it was.

It stands in front of the file permissions, not in their place: where the right is missing (no CAP_SYS_ADMIN in a
container) those hold alone, and every folder on the way to an app must then let other users pass.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

from node_scripts.running import trees
from node_scripts.running.users import unreachable_part

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWIPC: Final = 0x08000000
_MS_RDONLY: Final = 1
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_REMOUNT: Final = 32
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_PRIVATE: Final = 1 << 18

_OVERLAY_OPTIONS: Final = ("redirect_dir=on,index=off", "index=off", "")
"""The best first: with `redirect_dir` an app can also rename the folders it came with."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38

_TEMPORARY: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  these are the folders to cover

# Loaded before any fork, so that no child has to load anything.
_libc: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Layers:
    """An overlay: `lower` as it is, and what is written to it in `upper`, seen together at the folder `at`."""

    lower: Path
    upper: Path
    scratch: Path
    """Overlay's own, on the same file system as `upper`."""
    at: Path
    options: str
    """As `overlay_options` found them."""


@dataclass(frozen=True)
class View:
    """What an app may see of the folders that are covered."""

    covered: tuple[Path, ...]
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    temporary: Path
    """Becomes `/tmp` and `/var/tmp`."""
    shared_memory_mb: int
    layers: Layers | None = None


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
    """Give the calling process and its children this view. Only for a process about to become an app's. Needs root."""
    covered = (*view.covered, *(path for path in _TEMPORARY if path.is_dir()))
    kept = [(path.resolve(), path in view.writable) for path in (*view.readable, *view.writable)]
    _unshare(_CLONE_NEWNS | _CLONE_NEWIPC)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    if view.layers is not None:
        _lay(view.layers)
    # Opened in the new namespace (a bind mount takes none of another's) and before they are covered.
    put_back = [
        (path, os.open(path, os.O_PATH | os.O_CLOEXEC), writable) for path, writable in kept if _below(path, covered)
    ]
    temporary = os.open(view.temporary, os.O_PATH | os.O_CLOEXEC)
    for path in covered:
        if path in _TEMPORARY:
            _mount(f"/proc/self/fd/{temporary}", path, None, _MS_BIND)
        else:
            _mount("tmpfs", path, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m")
    os.umask(0o022)
    for path, fd, writable in put_back:
        path.mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{fd}", path, None, _MS_BIND)
        read_only = 0 if writable else _MS_RDONLY
        _mount("none", path, None, _MS_BIND | _MS_REMOUNT | _MS_NOSUID | _MS_NODEV | read_only)
    for path in view.covered:
        _mount("none", path, None, _MS_BIND | _MS_REMOUNT | _MS_NOSUID | _MS_NODEV | _MS_RDONLY)
    if Path("/dev/shm").is_dir():  # noqa: S108
        options = f"mode=1777,size={view.shared_memory_mb}m"
        _mount("tmpfs", Path("/dev/shm"), "tmpfs", _MS_NOSUID | _MS_NODEV, options)  # noqa: S108
    with suppress(OSError):  # a kernel before 5.8 cannot set this for one mount alone
        _mount("proc", Path("/proc"), "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "hidepid=2")


@cache
def available() -> bool:
    """Whether this process has the right to give its children a view of their own. Tried in a child, once."""
    child = os.fork()
    if child == 0:
        try:
            _unshare(_CLONE_NEWNS | _CLONE_NEWIPC)
            _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
            _mount("tmpfs", Path("/tmp"), "tmpfs", _MS_NOSUID | _MS_NODEV)  # noqa: S108
            os._exit(0)
        except OSError:
            pass
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def overlay_options(folder: Path) -> str | None:
    """The options with which overlays work whose upper layer is on this folder's file system; None where none do.

    They need the right to mount, and a file system that is itself no overlay. Tried in a child, with a real one.
    """
    probe = folder / f".overlay-{os.getpid()}"
    trees.remove(probe)
    for name in ("lower/folder", "upper", "scratch", "merged"):
        (probe / name).mkdir(mode=0o700, parents=True)
    (probe / "lower/folder/file").write_bytes(b"lower")
    try:
        for options in _OVERLAY_OPTIONS:
            child = os.fork()
            if child == 0:
                _try_overlay(probe, options)
            if os.waitpid(child, 0)[1] == 0:
                return options
        return None
    finally:
        with suppress(OSError):
            trees.remove(probe)


def _try_overlay(probe: Path, options: str) -> NoReturn:
    try:
        merged = probe / "merged"
        _unshare(_CLONE_NEWNS)
        _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
        _lay(Layers(probe / "lower", probe / "upper", probe / "scratch", merged, options))
        (merged / "folder/file").write_bytes(b"upper")
        (merged / "folder/new").mkdir()
        os._exit(0 if (probe / "lower/folder/file").read_bytes() == b"lower" else 1)
    except OSError:
        pass
    finally:
        os._exit(1)


def _lay(layers: Layers) -> None:
    # By descriptors: a path with a colon or a comma in it would have to be escaped.
    folders = {"lowerdir": layers.lower, "upperdir": layers.upper, "workdir": layers.scratch}
    opened = {name: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for name, path in folders.items()}
    options = ",".join((*(f"{name}=/proc/self/fd/{fd}" for name, fd in opened.items()), layers.options)).rstrip(",")
    _mount("overlay", layers.at, "overlay", _MS_NOSUID | _MS_NODEV, options)
    for fd in opened.values():
        os.close(fd)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this signal to the calling process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Make the calling process the parent of each descendant that loses its own."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_rights() -> None:
    """From here on no program gives this process more rights (no set-user-id, no sudo)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def name_process(name: str) -> None:
    """What `ps` and `top` call the process; at most 15 bytes."""
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:15]))


def _below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def _mount(source: str, target: Path | str, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags), options.encode() or None
    )
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot mount: {os.strerror(number)}", os.fspath(target))


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a mount namespace")


def _prctl(option: int, value: int | ctypes.Array[ctypes.c_char]) -> None:
    argument = ctypes.c_ulong(value) if isinstance(value, int) else value
    if _libc.prctl(option, argument, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
