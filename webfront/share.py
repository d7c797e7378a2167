"""The share, as the web front writes and reads it: whole or not at all, and never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from webfront.errors import NotFound, Unavailable

CHUNK: Final = 1024 * 1024


@contextmanager
def share_errors() -> Iterator[None]:
    """Turn a full or missing share into words."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The share cannot be written: {error.strerror or error}.") from error


def write_file(path: Path, chunks: Iterator[bytes]) -> int:
    """Write a new file of this user's alone, onto the disk. Returns its size."""
    size = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """A stream's bytes to its end."""
    while chunk := stream.read(CHUNK):
        yield chunk


def settle(beside: Path, final: Path) -> bool:
    """Give a whole folder its name. False when the name is taken: then the folder stays where it was."""
    try:
        beside.rename(final)
    except (FileExistsError, NotADirectoryError):
        return False
    except OSError:
        if final.is_dir():  # ENOTEMPTY: another one was first
            return False
        raise
    sync_folder(final.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk; file systems that cannot are believed to do it themselves."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def open_inside(root: Path, *names: str) -> BinaryIO:
    """Open a plain file under `root` for reading, going down name by name and through no link. NotFound."""
    gone = NotFound("This file is not on the share any more.")
    if not names or any(name in {"", ".", ".."} or "/" in name or "\0" in name for name in names):
        raise gone
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in names[:-1]:
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            # Not blocking: a named pipe put there must not hold this thread.
            handle = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise gone from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise gone
    return os.fdopen(handle, "rb")
