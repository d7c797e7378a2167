"""The folder an attempt lives in, and the records in it.

    attempts/<job>.<attempt>/
        keeper      locked for as long as the keeper lives; the keeper's process id, written before the app starts
        log         what the app said, and the agent's own lines about it (`node_scripts.running.logfile`)
    live        the newest lines, while the log's first part is full
        exit.json   how the app ended; written whole by the keeper, as its last act
        stored.json how much of the results is on the share's disk, while they are copied there
        ended.json  what `finish` made of that, once the results stand on the share
        box/        all the app is given: `in` (its input), `work` (where it starts), `out` (its results), `tmp`
    layers/     where `work` is an overlay: `upper`, what the app wrote there, and overlay's own `scratch`

`keeper` empty and not locked: the app never ran. Not empty, not locked and no `exit.json`: keeper and app are lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from node_scripts.running.interface import Ended
from node_scripts.running.removal import Remover
from node_scripts.running.users import User
from wire.messages import Cause, Usage

_RESERVED: Final = 4096

_Record = TypeVar("_Record", bound=msgspec.Struct)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class Exit(msgspec.Struct, frozen=True):
    """How the app's processes ended, by the keeper's own eyes."""

    cause: Cause
    message: str = ""
    exit_code: int | None = None
    usage: Usage = Usage()
    log_lines: int | None = None
    """How many lines there were, whether or not the disk took them; None where nobody counted."""
    left_running: bool = False
    """Something that it had started did not end, however often it was killed."""


class Room:
    """The paths of one attempt's folder. Making the object touches nothing."""

    def __init__(self, attempts: Path, job: str, attempt: int) -> None:
        self._in(attempts / f"{plain_name(job)}.{attempt}")

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The paths of this folder, whosever it is."""
        room = cls.__new__(cls)
        room._in(folder)
        return room

    def _in(self, folder: Path) -> None:
        self._remover = Remover(folder.parent)
        self.folder = folder
        self.keeper = self.folder / "keeper"
        self.log = self.folder / "log"
        self.live = self.folder / "live"
        self.exit = self.folder / "exit.json"
        self.ended = self.folder / "ended.json"
        self.stored = self.folder / "stored.json"
        self.box = self.folder / "box"
        self.inputs = self.box / "in"
        self.work = self.box / "work"
        self.outputs = self.box / "out"
        self.temporary = self.box / "tmp"
        self.layers = self.folder / "layers"
        self.upper = self.layers / "upper"
        self.scratch = self.layers / "scratch"

    def make(self, user: User | None) -> None:
        """A fresh, empty room. What an earlier preparation left behind was removed before.

        The app's user owns `work`, what is written there, `out` and `tmp` and nothing above them, so that it cannot put
        anything beside.
        """
        for folder in (self.folder, self.box):
            make_folder(folder, 0o711)
        self.layers.mkdir(mode=0o700)
        self.scratch.mkdir(mode=0o700)
        for folder in (self.inputs, self.work, self.outputs, self.temporary, self.upper):
            folder.mkdir(mode=0o700)
            if user is not None and folder is not self.inputs:
                os.chown(folder, user.uid, user.gid)
        if user is not None:
            os.chown(self.inputs, 0, user.gid)
            self.inputs.chmod(0o750)
        for record in (self.keeper, self.log):
            record.touch(mode=0o600)

    def remove(self) -> None:
        """Remove the folder and all in it, or set it aside; nothing if it is gone. Raises OSError if neither can be.

        The keeper's record goes first: a death in the middle of this then reads as "never launched", not as "lost".
        """
        with suppress(OSError):  # what is wrong with the folder, its removal says
            self.keeper.unlink(missing_ok=True)
        self._remover.remove(self.folder)

    def read_exit(self) -> Exit | None:
        """How the app ended, or None while that is not written down."""
        return read_record(self.exit, Exit)

    def read_ended(self) -> Ended | None:
        """What `finish` said before, or None."""
        return read_record(self.ended, Ended)

    def app_user(self) -> int | None:
        """The user id the app runs as, if it is one of its own."""
        try:
            uid = self.outputs.stat().st_uid
        except FileNotFoundError:
            return None
        return None if uid == os.geteuid() else uid

    def keeper_pid(self) -> int | None:
        """The process id the keeper wrote down, or None if it never came to that."""
        try:
            return int(self.keeper.read_text() or "0") or None
        except (FileNotFoundError, ValueError):
            return None

    def wait_for_keeper_pid(self) -> int:
        """The process id of the keeper that holds the lock. Raises `ProcessLookupError` if it never writes it down.

        It does so within a millisecond of its birth; only an agent that died in that very moment has to wait here.
        """
        for _ in range(100):
            pid = self.keeper_pid()
            if pid is not None:
                return pid
            time.sleep(0.01)
        raise ProcessLookupError


class FolderLock:
    """An advisory lock (flock) on a file, which a forked process inherits: held until the last copy is closed."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def try_take(cls, path: Path, *, shared: bool = False) -> Self | None:
        """The lock, or None when another holds it. The file is made if it is not there."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            raise
        return cls(fd)

    def close(self) -> None:
        """Let go of this process's copy. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


def make_folder(folder: Path, mode: int) -> None:
    """Make the folder, and those above it, if it is not there; it has this mode whatever the agent's umask."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on this file."""
    if not path.exists():
        return False
    lock = FolderLock.try_take(path)
    if lock is None:
        return True
    lock.close()
    return False


def reserve(path: Path) -> None:
    """Set disk aside for a small file that `write_whole` will write, so that it can when the disk is full."""
    fd = os.open(_beside(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, _RESERVED)
    finally:
        os.close(fd)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write the file so that it is there whole or not at all; with `sync` also after the machine lost its power."""
    beside = _beside(path)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.ftruncate(fd, len(content))  # only now, so that what was reserved is used
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    beside.rename(path)


def write_record(path: Path, record: msgspec.Struct, *, sync: bool = True) -> None:
    """Write a record as JSON, as `write_whole` does."""
    write_whole(path, msgspec.json.encode(record), sync=sync)


def plain_name(name: str) -> str:
    """The name, if it can be a folder's name and nothing else. Raises ValueError."""
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a folder here")
    return name


def read_record(path: Path, kind: type[_Record]) -> _Record | None:
    """The record in this file, or None if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
