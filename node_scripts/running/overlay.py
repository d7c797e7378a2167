"""An app's own folder as an overlay: its version's files below, what the app changes above, in the attempt's folder.

So an app may change what it came with, and the next job finds it as it was. The files below are root's alone on the
disk. The app sees them as its own, modes and times to set included, since they lie below by a mount that maps root to
the attempt's user (an "idmapped" mount).
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from node_scripts.running import kernel, trees
from node_scripts.running.users import User

_OPTIONS: Final = ("redirect_dir=on,index=off,volatile", "redirect_dir=on,index=off")
"""With `redirect_dir` an app can rename the folders it came with. Without `volatile` (Linux 5.10) the end of an attempt
waits until all that is to be written to this disk is written, other attempts' files too."""


@dataclass(frozen=True)
class Layers:
    """An overlay: `lower` as it is, and what is written to it in `upper`, seen together at the folder `at`."""

    lower: Path
    upper: Path
    scratch: Path
    """Overlay's own, on the same file system as `upper`."""
    at: Path
    owner: int
    """Of whom root's files below seem to be: what `owner_namespace` returned."""
    options: str
    """As `usable_options` found them."""


def owner_namespace(user: User) -> int:
    """A descriptor of a user namespace that maps root to this user. Raises OSError.

    It takes some ten milliseconds to make, and is good for as many mounts as one likes.
    """
    ready, tell = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            kernel.unshare(kernel.CLONE_NEWUSER)
            os.write(tell, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    try:
        if not os.read(ready, 1):
            raise OSError("cannot make a user namespace")
        for kind, number in (("uid", user.uid), ("gid", user.gid)):
            Path(f"/proc/{child}/{kind}_map").write_text(f"0 {number} 1")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def lay(layers: Layers) -> None:
    """Mount the overlay, in a mount namespace of the calling process's own. Raises OSError."""
    kernel.mount_as_owned(layers.lower, layers.owner)
    # By descriptors: a path with a colon or a comma in it would have to be escaped.
    folders = {"lowerdir": layers.lower, "upperdir": layers.upper, "workdir": layers.scratch}
    opened = {name: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for name, path in folders.items()}
    options = ",".join((*(f"{name}=/proc/self/fd/{fd}" for name, fd in opened.items()), layers.options))
    kernel.mount("overlay", layers.at, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    for fd in opened.values():
        os.close(fd)


def usable_options(folder: Path, user: User) -> str | None:
    """The options with which overlays work whose upper layer is on this folder's file system; None where none do.

    They need the right to mount, Linux 5.19, and a file system that is itself no overlay. Tried in a child, with a real
    one, as the user.
    """
    for left in folder.glob(".overlay-*"):  # by an agent that was killed in the middle of this
        with suppress(OSError):
            trees.remove(left)
    probe = folder / f".overlay-{os.getpid()}"
    try:
        owner = owner_namespace(user)
    except OSError:
        return None
    try:
        for options in _OPTIONS:
            trees.remove(probe)
            for name in ("lower/folder", "upper", "scratch", "merged"):
                (probe / name).mkdir(mode=0o700, parents=True)
            os.chown(probe / "upper", user.uid, user.gid)
            (probe / "lower/folder/file").write_bytes(b"lower")
            (probe / "lower/folder/file").chmod(0o600)
            child = os.fork()
            if child == 0:
                layers = Layers(probe / "lower", probe / "upper", probe / "scratch", probe / "merged", owner, options)
                _try(layers, user)
            if os.waitpid(child, 0)[1] == 0 and (probe / "lower/folder/file").read_bytes() == b"lower":
                return options
        return None
    finally:
        os.close(owner)
        with suppress(OSError):
            trees.remove(probe)


def _try(layers: Layers, user: User) -> NoReturn:
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
        lay(layers)
        os.chdir(layers.at)
        os.setgroups([])
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
        Path("folder/file").write_bytes(b"upper")
        Path("folder/file").chmod(0o640)
        Path("folder/new").mkdir()
        Path("folder").rename("renamed")
        os._exit(0)
    except OSError:
        pass
    finally:
        os._exit(1)
