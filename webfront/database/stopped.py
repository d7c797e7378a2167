"""Ending a process that was stopped while it writes: on SQLite it would keep every other from writing.

A lock is never taken from a process that lives, since two would then write at once. One that is stopped (SIGSTOP, a
debugger) and holds a lock that somebody waits for is ended: its locks go with it, SQLite undoes what it had begun, and
the process manager starts it anew. One that only takes long is left alone.

The kernel knows who holds which lock (`/proc/locks`). Its list tells a file by its number, which two file systems may
both use, so the process must have that file open, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_log = logging.getLogger(__name__)

PATIENCE_S: Final = 2.0
"""How long somebody waits before anybody looks at who is in the way."""

STOPPED_S: Final = 3.0
"""How long a process is seen stopped before it is ended: a debugger stops one for a moment."""

HURRIED_S: Final = 0.5
"""How long, where somebody takes over from a scheduler that has not been heard for seconds."""

_LOOK_S: Final = 1.0


class Holder(NamedTuple):
    """A process that holds a lock; its number may be another's later, with another start."""

    pid: int
    started: str


class Watch:
    """Looks at who holds the locks of a SQLite database while threads of this process wait for them."""

    def __init__(self, database: str) -> None:
        # The turn's file, and the one in whose bytes SQLite keeps its own locks.
        self._files = (f"{database}-turn", f"{database}-shm")
        self._waiting: dict[int, float] = {}
        self._hurried: set[int] = set()
        """Those of them that cannot wait."""
        self._hurry = threading.Event()
        self._seen: dict[Holder, float] = {}
        threading.Thread(target=self._run, name="stopped-writers", daemon=True).start()

    @contextlib.contextmanager
    def waiting(self, *, hurried: bool = False) -> Iterator[None]:
        """This thread waits for its turn to write, until the block ends. `hurried`: for `HURRIED_S` at most."""
        thread = threading.get_ident()
        self._waiting[thread] = time.monotonic()
        if hurried:
            self._hurried.add(thread)
            self._hurry.set()
        try:
            yield
        finally:
            del self._waiting[thread]
            self._hurried.discard(thread)

    def _run(self) -> None:
        while True:
            if self._hurry.wait(_LOOK_S):
                time.sleep(HURRIED_S / 2)
            self._hurry.clear()
            if self._hurried:
                self._hurry.set()
            try:
                self._look(time.monotonic())
            except Exception:
                _log.exception("who holds the database's locks cannot be told")

    def _look(self, now: float) -> None:
        hurried = bool(self._hurried)
        patience, stopped_s = (0.0, HURRIED_S) if hurried else (PATIENCE_S, STOPPED_S)
        if all(now - since < patience for since in list(self._waiting.values())):
            self._seen.clear()
            return
        stopped = {holder for holder in holders(self._files) if is_stopped(holder)}
        self._seen = {holder: self._seen.get(holder, now) for holder in stopped}
        for holder, since in self._seen.items():
            if now - since >= stopped_s:
                self._end(holder)

    def _end(self, holder: Holder) -> None:
        try:
            handle = os.pidfd_open(holder.pid)
        except ProcessLookupError:
            return
        try:
            # Looked at again, now that its number cannot become another's.
            if holder in holders(self._files) and is_stopped(holder):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                _log.error("process %d was stopped while it wrote to the database and held up all: ended", holder.pid)
        except PermissionError:
            _log.error(
                "process %d is stopped, holds up all who write to the database, and is another user's: "
                "continue it (kill -CONT %d) or end it",
                holder.pid,
                holder.pid,
            )
        finally:
            os.close(handle)


def holders(files: tuple[str, ...]) -> set[Holder]:
    """The other processes that hold a lock on one of the files with which others are kept from writing."""
    numbers = {}
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            numbers[str(Path(file).stat().st_ino)] = file
    found = set()
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        # "7: POSIX  ADVISORY  WRITE 4711 fd:00:131090 120 120"; who waits stands behind an arrow.
        fields = line.split()
        if len(fields) != 8 or fields[3] != "WRITE":
            continue
        pid, locked = int(fields[4]), numbers.get(fields[5].rpartition(":")[2])
        if locked is None or pid == os.getpid():
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if _has_open(pid, locked):
                found.add(Holder(pid, _status(pid)[19]))
    return found


def is_stopped(holder: Holder) -> bool:
    """Whether this very process lives and is stopped."""
    try:
        status = _status(holder.pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status[0] in {"T", "t"} and status[19] == holder.started


def _status(pid: int) -> list[str]:
    """What `/proc/PID/stat` says after the command's name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _has_open(pid: int, file: str) -> bool:
    wanted = Path(file).resolve()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if link.readlink() == wanted:
                return True
    return False
