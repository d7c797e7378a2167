"""Copying files between the share and the node without ever following a link that someone laid."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from node_scripts.running.users import User

_CHUNK: Final = 2**20
STRETCH: Final = 64 * 2**20
"""Of a large file this much is brought to the disk at once: what a copy that is cut off may have to do again."""

Reached = Callable[[], contextlib.AbstractContextManager[object]]
"""Makes the block in which a path is looked up: `Share.as_owner`, or `contextlib.nullcontext` for the caller itself."""


class UnsafePath(ValueError):
    """A path that leads out of where it must stay, or a file that is no ordinary one. Its words are for a person."""


def inside(name: str) -> PurePosixPath:
    """The relative path of this name, if it stays inside the folder it is meant for. Raises `UnsafePath`."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
        raise UnsafePath(f"{name!r} leads out of the folder")
    return path


@contextlib.contextmanager
def opened(root: Path, name: str, reached: Reached = contextlib.nullcontext) -> Iterator[int]:
    """A descriptor of the ordinary file `name` below `root`, no part of the way being a link.

    The file is `reached` by whom that says and read by the caller. Raises `FileNotFoundError`, and `UnsafePath` for a
    link, a pipe, a device or a folder.
    """
    with reached():
        fd = _open(root, name)
    try:
        yield fd
    finally:
        os.close(fd)


def copy(source: int, target: Path, *, mode: int, sync: bool = False) -> tuple[int, str]:
    """Copy what the descriptor reads into a new file; returns its size and SHA-256."""
    digest = hashlib.sha256()
    size = 0
    out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while chunk := os.read(source, _CHUNK):
            digest.update(chunk)
            size += len(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(out, view) :]
        os.fchmod(out, mode)
        if sync:
            os.fsync(out)
    finally:
        os.close(out)
    return size, digest.hexdigest()


def copy_on(source: int, out: int, begin: int, synced: Callable[[int], None]) -> tuple[int, str]:
    """Copy what one descriptor reads into the other, which has the first `begin` bytes; returns the size and SHA-256.

    `synced` hears how many bytes are on the disk: after each stretch, and at the end. Both stand at their beginnings.
    """
    digest = hashlib.sha256()
    size, told = 0, begin
    while size < begin and (chunk := os.read(source, min(_CHUNK, begin - size))):
        digest.update(chunk)
        size += len(chunk)
    os.lseek(out, begin, os.SEEK_SET)
    while chunk := os.read(source, _CHUNK):
        digest.update(chunk)
        size += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(out, view) :]
        if size - told >= STRETCH:
            os.fsync(out)
            synced(size)
            told = size
    os.fsync(out)
    synced(size)
    return size, digest.hexdigest()


def describe(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file of our own."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return file.tell(), digest.hexdigest()


def copy_tree(
    source: Path, target: Path, owner: User | None = None, *, reached: Reached = contextlib.nullcontext
) -> int:
    """Copy folders and ordinary files below `source` into the folder `target`; returns the bytes copied.

    The source is `reached` by whom that says, the target by the caller. Nobody but the owner may do anything with the
    copy yet, save that a file that was executable stays it. Links and everything else are refused: an uploaded app has
    none.
    """
    total = 0
    waiting = [(source, target)]
    while waiting:
        folder, copied = waiting.pop()
        copied.mkdir(mode=0o700, exist_ok=copied == target)
        with reached(), os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            if is_folder:
                waiting.append((folder / name, copied / name))
                continue
            with opened(folder, name, reached) as fd:
                mode = 0o700 if os.fstat(fd).st_mode & 0o100 else 0o600
                total += copy(fd, copied / name, mode=mode)[0]
            if owner is not None:
                os.chown(copied / name, owner.uid, owner.gid)
        if owner is not None:
            os.chown(copied, owner.uid, owner.gid)
    return total


def sync_folder(folder: Path) -> None:
    """Have the names in this folder survive a loss of power."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open(root: Path, name: str) -> int:
    *folders, last = inside(name).parts
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            fd = _step(fd, part, name, os.O_DIRECTORY)
        fd = _step(fd, last, name, os.O_NONBLOCK)  # a pipe without a writer would hold us up for good
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UnsafePath(f"{name} is not an ordinary file")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _step(folder: int, part: str, name: str, flags: int) -> int:
    try:
        fd = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except NotADirectoryError as error:
        raise UnsafePath(f"{name} is not reached through ordinary folders") from error
    except OSError as error:
        if error.errno in (40, 6):  # ELOOP: a link; ENXIO: a socket
            raise UnsafePath(f"{name} is a link or a socket, not an ordinary file") from error
        raise
    os.close(folder)
    return fd
