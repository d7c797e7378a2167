"""The text of logs on the share: a file for each attempt, `logs/<job>/<attempt>`, of this user's alone.

A file is a heap of pieces. Where each lies, and which lines it holds, is said by its row (`LogPiece`); what no row
speaks of is nothing. A place in the file is taken in the attempt's row before anything is written there, and is never
taken twice: so of two that write at once, one that hung and its successor, neither can touch what is the other's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from webfront.errors import NotFound, Unavailable
from webfront.share import open_inside, sync_folder

FOLDER: Final = "logs"


def write_text(share: Path, job: str, attempt: int, position: int, text: bytes) -> None:
    """Have this in the attempt's file from `position` on, and on the disk. Raises OSError."""
    folder = share / FOLDER / job
    _make_folder(folder.parent)
    _make_folder(folder)
    path = folder / str(attempt)
    is_new = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(text):
            written += os.pwrite(handle, text[written:], position + written)
        os.fsync(handle)
    finally:
        os.close(handle)
    if is_new:
        sync_folder(folder)


class LogText:
    """An attempt's file, for reading; opened when it is first asked for something."""

    def __init__(self, share: Path, job: str, attempt: int) -> None:
        self._share = share
        self._names = (FOLDER, job, str(attempt))
        self._file: BinaryIO | None = None

    def lines(self, position: int, size: int, count: int) -> list[str] | None:
        """A piece's lines; None when they are not there. `Unavailable` while the share cannot be read."""
        try:
            if self._file is None:
                self._file = open_inside(self._share, *self._names)
            text = os.pread(self._file.fileno(), size, position)
        except NotFound:
            if (self._share / FOLDER).is_dir():
                return None
            raise Unavailable("The share with the log cannot be read now. Try again in a minute.") from None
        except OSError as error:
            raise Unavailable(f"The share with the log cannot be read now: {error.strerror or error}.") from error
        found = text.decode("utf-8", "replace").split("\n")[:-1]
        return found if len(text) == size and len(found) == count else None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def log_text(share: Path, job: str, attempt: int) -> Iterator[LogText]:
    """The text of one attempt's log, as long as it is read."""
    text = LogText(share, job, attempt)
    try:
        yield text
    finally:
        text.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    sync_folder(folder.parent)
