"""Walking and removing folders that a stranger's code has left: of any depth, with any names and any modes.

Nothing here recurses, and nothing needs a path longer than the system takes: what is nested is moved up to the top
before it is removed, a level at a time.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotRemoved(OSError):
    """Something in a folder cannot be removed. What could be is gone."""


def walk(top: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry below `top` with its path, folders before what is in them. Links are not followed."""
    waiting = [os.fspath(top)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                yield entry.path, entry


def remove(folder: Path) -> None:
    """Remove the folder and all in it; nothing if it is gone. Raises `NotRemoved`."""
    try:
        top = os.open(folder, _OPEN_FOLDER)
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotRemoved(error.errno, error.strerror, os.fspath(folder)) from error
    try:
        failure = _empty(top)
    finally:
        os.close(top)
    if failure is None:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            failure = error
    if failure is not None:
        raise NotRemoved(failure.errno, failure.strerror, os.fspath(folder)) from failure


def tidy(folder: Path, aside: Path) -> None:
    """Remove the folder; what cannot be removed is moved into `aside`, and the log says so once.

    `aside` is a folder of the same file system, which may not be there yet. Whoever starts next calls `tidy_aside`.
    """
    try:
        remove(folder)
    except NotRemoved as error:
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = aside / f"{folder.name}.{secrets.token_hex(4)}"
        try:
            folder.rename(kept)
        except OSError as refusal:
            _log.error("%s can be neither removed (%s) nor set aside (%s)", folder, error.strerror, refusal.strerror)
        else:
            _log.warning("%s cannot be removed (%s); it is set aside as %s", folder, error.strerror, kept)


def tidy_aside(aside: Path) -> None:
    """Try once more to remove what was set aside."""
    if not aside.is_dir():
        return
    for folder in aside.iterdir():
        with suppress(NotRemoved):
            remove(folder)
    with suppress(OSError):
        aside.rmdir()


def _empty(top: int) -> OSError | None:
    """Remove everything below this folder. The first failure, None where all is gone."""
    failure: OSError | None = None
    stuck: set[str] = set()
    while names := [name for name in os.listdir(top) if name not in stuck]:
        for name in names:
            try:
                _remove_one(top, name)
            except FileNotFoundError:
                pass
            except OSError as error:
                failure = failure or error
                stuck.add(name)
    return failure


def _remove_one(top: int, name: str) -> None:
    """Remove this entry of `top`. A folder's own folders are moved up to `top`, where they are found next."""
    status = os.lstat(name, dir_fd=top)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=top)
        return
    if status.st_dev != os.fstat(top).st_dev:
        raise OSError(errno.EBUSY, "another file system is mounted there", name)
    if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(name, stat.S_IRWXU, dir_fd=top)
    folder = os.open(name, _OPEN_FOLDER, dir_fd=top)
    failure: OSError | None = None
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    _take_out(top, folder, entry)
                except OSError as error:
                    failure = failure or error
    finally:
        os.close(folder)
    if failure is not None:
        raise failure
    os.rmdir(name, dir_fd=top)


def _take_out(top: int, folder: int, entry: os.DirEntry[str]) -> None:
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.name, dir_fd=folder)
        return
    beside = f".{secrets.token_hex(8)}"
    try:
        os.rename(entry.name, beside, src_dir_fd=folder, dst_dir_fd=top)
    except PermissionError:
        # A folder that is moved must itself be writable, for any user but root.
        os.chmod(entry.name, stat.S_IRWXU, dir_fd=folder)
        os.rename(entry.name, beside, src_dir_fd=folder, dst_dir_fd=top)
