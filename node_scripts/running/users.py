"""Who apps run as: with root's rights, each slot has a user id of its own; without them, the agent's own user.

The ids are claimed machine-wide by a lock each, because all processes of a slot's user are killed when its attempt
ends: two agents on one machine with the same `SKERRY_NODE_UID_BASE` would kill each other's jobs. The second one gets
the next free ids instead. A keeper inherits the lock of its slot, so that its id stays taken if the agent dies: for as
long as it lives, whoever's it is, nobody else is given that id, since at its end it kills all that runs under it.

An id is given out clean: nothing runs under it, and no System V object and nothing in the folders for temporary files
is its. What is left is ended and removed, and waited for; an id that does not become clean is set aside until the next
start.

Without root's rights an app is held to its limits and its processes are ended, but it can read what the agent's user
can read: only for trying things out with one's own apps.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node_scripts.running import kernel, trees

_log = logging.getLogger(__name__)

REGISTRY: Final = Path("/run/skerry/uids")
SHARED_FOLDERS: Final = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")))  # noqa: S108
"""Where any user may leave files."""
_TRIES: Final = 200
_CLEAN_WITHIN_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.02
_GONE: Final = ("Z", "X")
"""States of processes that run no more, and that their parents have not taken notice of."""


class NoUserFree(RuntimeError):
    """Every user id in reach is taken by another agent on this machine, or set aside."""


@dataclass(frozen=True)
class User:
    """The identity a process is started with."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def with_groups(self, *groups: int) -> User:
        return User(self.uid, self.gid, groups)


class SlotUsers:
    """The user of each slot, for any thread. `owner` names this agent over its restarts: the folder of its state."""

    def __init__(
        self,
        *,
        uid_base: int,
        slots: int,
        owner: Path,
        registry: Path = REGISTRY,
        clean_within_s: float = _CLEAN_WITHIN_S,
    ) -> None:
        self._base = uid_base
        self._slots = slots
        self._owner = owner
        self._registry = registry
        self._clean_within_s = clean_within_s
        self._claims: dict[int, tuple[User, int]] = {}
        self._clean: set[int] = set()
        """Of those claimed here, the ids that were found clean and not doubted since."""
        self._aside: dict[int, int] = {}
        """Ids that do not become clean, with the descriptors that keep others from them too."""
        self._turn = threading.Lock()

    def ready(self, slot: int) -> User | None:
        """The slot's user where `take` would have nothing to do; None too without root's rights."""
        claim = self._claims.get(slot)
        return claim[0] if claim is not None and claim[0].uid in self._clean else None

    def take(self, slot: int) -> User | None:
        """The slot's user, clean; None without root's rights. Slow where it is not. Raises `NoUserFree`."""
        if os.geteuid() != 0:
            return None
        with self._turn:
            if slot in self._claims:
                user, fd = self._claims[slot]
                if user.uid in self._clean or self._cleaned(user.uid):
                    return user
                del self._claims[slot]
                self._aside[user.uid] = fd
            for uid in self._candidates(slot):
                if (held := self._lock(uid)) is None:
                    continue
                if not self._cleaned(uid):
                    self._aside[uid] = held
                    continue
                os.ftruncate(held, 0)
                os.pwrite(held, f"{self._owner}\n{slot}\n".encode(), 0)
                user = User(uid, uid)
                self._claims[slot] = (user, held)
                return user
        raise NoUserFree(
            f"the user ids from {self._base} on are taken by other agents on this machine, or what runs under them "
            "does not end; set SKERRY_NODE_UID_BASE"
        )

    def has_one(self, slot: int) -> bool:
        """Whether the slot has a user or could claim one. Claims nothing."""
        with self._turn:
            if os.geteuid() != 0 or slot in self._claims:
                return True
            for uid in self._candidates(slot):
                if (fd := self._lock(uid)) is not None:
                    os.close(fd)
                    return True
        return False

    def doubt(self, uid: int) -> None:
        """Something may have been left under this id: it is looked at before it is given out again."""
        self._clean.discard(uid)

    def end_left(self, uid: int) -> None:
        """End what an attempt has left running under this id, unless somebody else holds it by now."""
        with self._turn:
            if uid in self._aside or any(user.uid == uid for user, _ in self._claims.values()):
                kill_user(uid)
            elif (fd := self._lock(uid)) is not None:
                kill_user(uid)
                os.close(fd)

    def claim_fd(self, slot: int) -> int | None:
        """The descriptor that holds the claim, for the keeper to inherit."""
        return self._claims[slot][1] if slot in self._claims else None

    def close(self) -> None:
        """Give the ids back. Keepers that still run hold on to theirs."""
        for fd in (*(fd for _, fd in self._claims.values()), *self._aside.values()):
            os.close(fd)
        self._claims.clear()
        self._aside.clear()

    def _candidates(self, slot: int) -> Iterator[int]:
        taken = {user.uid for user, _ in self._claims.values()} | set(self._aside)
        others = range(self._base + self._slots, self._base + self._slots + _TRIES)
        return (uid for uid in (self._base + slot, *others) if uid not in taken)

    def _lock(self, uid: int) -> int | None:
        """A descriptor that holds the id; None while another agent does, or a keeper of whatever life."""
        self._registry.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._registry / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            return None
        return fd

    def _cleaned(self, uid: int) -> bool:
        """End and remove what is left under an id that is locked here. False when something stays."""
        give_up_at = time.monotonic() + self._clean_within_s
        while left := self._left(uid):
            if time.monotonic() >= give_up_at:
                _log.warning("the user id %d is set aside: %s", uid, left)
                return False
            time.sleep(_LOOK_AGAIN_S)
        self._clean.add(uid)
        return True

    def _left(self, uid: int) -> str:
        """Words for what is left under this id after another try to be rid of it."""
        if has_processes(uid):
            kill_user(uid)
            if has_processes(uid):
                return "a process of it does not end"
        if has_segments(uid):
            remove_segments(uid)
            if has_segments(uid):
                return "System V objects of it cannot be removed"
        for path in _files_of(uid):
            with suppress(OSError):
                trees.remove(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        stays = next(_files_of(uid), None)
        return f"{stays} of it cannot be removed" if stays is not None else ""


def has_processes(uid: int) -> bool:
    """Whether anything runs under this user id, whatever it has made of the owner of its folder in /proc."""
    mark = str(uid)
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError, KeyError):
                lines = (folder / "status").read_text(errors="replace").splitlines()
                found = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
                if mark in found["Uid"] and found["State"][0] not in _GONE:
                    return True
    return False


def has_segments(uid: int) -> bool:
    """Whether this user has made System V shared memory, semaphores or message queues in the caller's IPC namespace."""
    for kind in ("shm", "sem", "msg"):
        with suppress(OSError):
            heads, *lines = Path("/proc/sysvipc", kind).read_text().splitlines()
            maker = heads.split().index("cuid")
            if any(int(line.split()[maker]) == uid for line in lines):
                return True
    return False


def _files_of(uid: int) -> Iterator[Path]:
    """What this user has left where any user may: those folders are sticky, so it is the user's own."""
    for folder in SHARED_FOLDERS:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        yield Path(entry.path)


def kill_user(uid: int) -> None:
    """Kill every process of this user id, in one go.

    kill(-1) walks the kernel's list of processes under its lock, so that a fork bomb cannot outrun it. The child is the
    only process that takes on the user's identity here, and kill(-1) spares the caller.
    """
    _as_user(uid, lambda: os.kill(-1, signal.SIGKILL))


def remove_segments(uid: int) -> None:
    """Remove System V's shared memory, semaphores and message queues that this user has made.

    For apps without an IPC namespace of their own: there they outlive the processes.
    """
    _as_user(uid, lambda: kernel.remove_ipc(uid))


def _as_user(uid: int, act: Callable[[], None]) -> None:
    """In a child that is this user, and so has no rights over anybody else."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            act()
        except OSError:
            pass  # nothing was there
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def unreachable_part(path: Path) -> Path | None:
    """The first folder on the way to `path` that users other than its owner cannot pass, or None."""
    for folder in (*reversed(path.parents), path):
        try:
            if not folder.stat().st_mode & 0o001:
                return folder
        except FileNotFoundError:
            return None
    return None
