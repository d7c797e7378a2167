"""Folders that strangers filled: walked, measured and removed at any depth, with any modes and any names.

A path has at most 4,096 bytes and a recursion some hundred levels; what an app leaves may lie deeper. So nothing here
recurses, and no path grows with the depth: a walk goes on from an open folder once its path is long, and a removal
moves what lies deep up to the top. Links are never followed.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONG: Final = 900
"""Characters of a path that is not made longer: with one more name, and four bytes a character, it still is a path."""
_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)


class _Anchor:
    """A folder kept open, and a short path that leads to it for as long as this lives."""

    def __init__(self, path: str) -> None:
        self._fd = -1
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.path = f"/proc/self/fd/{self._fd}"

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def walk(top: Path, *, pass_over: bool = False) -> Iterator[os.DirEntry[str]]:
    """All that lies below `top`, a folder before what is in it. An entry's path is good until the next one comes.

    Raises OSError for a folder that cannot be read. With `pass_over` what cannot be read, or vanishes meanwhile, is
    left out; then it raises only when folders lie too deep in one another for the descriptors this process may open.
    """
    waiting: list[tuple[str, _Anchor | None]] = [(os.fspath(top), None)]
    while waiting:
        path, anchor = waiting.pop()
        try:
            if len(path) > _LONG:
                anchor = _Anchor(path)
                path = anchor.path
            entries = os.scandir(path)
        except OSError as error:
            if pass_over and error.errno not in _NO_DESCRIPTOR:
                continue
            raise
        with entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, anchor))


def disk_bytes(folders: Iterable[Path]) -> int:
    """The disk blocks of what lies in these folders, a file with several names counted once.

    What cannot be read is not counted. Raises OSError when folders lie too deep in one another, as `walk` says.
    """
    total = 0
    linked: set[tuple[int, int]] = set()
    for folder in folders:
        for entry in walk(folder, pass_over=True):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # gone meanwhile
                continue
            if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
                if (status.st_dev, status.st_ino) in linked:
                    continue
                linked.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total


def remove(top: Path) -> None:
    """Remove this folder and all in it; nothing if it is gone.

    Removes all that can be removed, and then raises OSError for the first thing that could not (a mount point, a file
    that may not be changed). Nobody else may be at work in the folder.
    """
    if os.geteuid() != 0:
        _make_passable(top)
    try:
        fd = os.open(top, _FOLDER)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        top.unlink()
        return
    try:
        _Removal(fd).run()
    finally:
        os.close(fd)
    top.rmdir()


class _Removal:
    """Empties one folder.

    Each folder below is moved up into it, once, under a number of our own: the depth is never more than one, and of
    each that waits only the number is kept. A mount point cannot be moved, so what is mounted there is never touched.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._prefix = f".{secrets.token_hex(8)}."
        self._moved = 0
        self._waiting: list[int] = []
        self._failure: OSError | None = None

    def run(self) -> None:
        self._empty(self._top)
        while self._waiting:
            name = f"{self._prefix}{self._waiting.pop()}"
            try:
                folder = os.open(name, _FOLDER, dir_fd=self._top)
                try:
                    self._empty(folder)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=self._top)
            except OSError as error:
                self._failed(error)
        if self._failure is not None:
            raise self._failure

    def _empty(self, folder: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry.name, dir_fd=folder)
                    elif folder != self._top or not entry.name.startswith(self._prefix):
                        self._move_up(folder, entry.name)
                except FileNotFoundError:  # a scan may tell of what was removed during it
                    pass
                except OSError as error:
                    self._failed(error)

    def _move_up(self, folder: int, name: str) -> None:
        if os.geteuid() != 0:
            _make_passable(name, folder)
        os.rename(name, f"{self._prefix}{self._moved}", src_dir_fd=folder, dst_dir_fd=self._top)
        self._waiting.append(self._moved)
        self._moved += 1

    def _failed(self, error: OSError) -> None:
        if self._failure is None:
            self._failure = error


def _make_passable(path: Path | str, folder: int | None = None) -> None:
    """Let the owner do everything with this folder, whatever mode it was left with. Nothing for what is no folder."""
    try:
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return  # what is to be done with it says what is wrong
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)  # noqa: PTH101
    except PermissionError:
        pass
    finally:
        os.close(fd)
