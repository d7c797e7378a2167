"""Who apps run as: with root's rights, each slot has a user id of its own; without them, the agent's own user.

The ids are claimed machine-wide by a lock each, because all processes of a slot's user are killed when its attempt
ends: two agents on one machine with the same `SKERRY_NODE_UID_BASE` would kill each other's jobs. The second one gets
the next free ids instead. A keeper inherits the lock of its slot, so that its id stays taken if the agent dies.

Without root's rights an app is held to its limits and its processes are ended, but it can read what the agent's user
can read: only for trying things out with one's own apps.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node_scripts.running import kernel

REGISTRY: Final = Path("/run/skerry/uids")
_TRIES: Final = 200


class NoUserFree(RuntimeError):
    """Every user id in reach is taken by another agent on this machine."""


@dataclass(frozen=True)
class User:
    """The identity a process is started with."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def with_groups(self, *groups: int) -> User:
        return User(self.uid, self.gid, groups)


class SlotUsers:
    """The user of each slot. `owner` names this agent over its restarts: the folder of its state."""

    def __init__(self, *, uid_base: int, slots: int, owner: Path, registry: Path = REGISTRY) -> None:
        self._base = uid_base
        self._slots = slots
        self._owner = owner
        self._registry = registry
        self._claims: dict[int, tuple[User, int]] = {}

    def take(self, slot: int) -> User | None:
        """The slot's user; None without root's rights. Raises `NoUserFree`."""
        if os.geteuid() != 0:
            return None
        if slot in self._claims:
            return self._claims[slot][0]
        self._registry.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = {user.uid for user, _ in self._claims.values()}
        others = range(self._base + self._slots, self._base + self._slots + _TRIES)
        for uid in (self._base + slot, *others):
            if uid in taken:
                continue
            user = User(uid, uid)
            fd = os.open(self._registry / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                claim = os.pread(fd, 4096, 0)
                os.close(fd)
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                if claim == self._claim(slot):
                    # A keeper of our own, from before a restart, holds it: the id is ours. It is claimed anew later.
                    return user
                continue
            os.ftruncate(fd, 0)
            os.pwrite(fd, self._claim(slot), 0)
            self._claims[slot] = (user, fd)
            return user
        raise NoUserFree(
            f"the user ids from {self._base} on are taken by other agents on this machine; set SKERRY_NODE_UID_BASE"
        )

    def claim_fd(self, slot: int) -> int | None:
        """The descriptor that holds the claim, for the keeper to inherit."""
        return self._claims[slot][1] if slot in self._claims else None

    def close(self) -> None:
        """Give the ids back. Keepers that still run hold on to theirs."""
        for _, fd in self._claims.values():
            os.close(fd)
        self._claims.clear()

    def _claim(self, slot: int) -> bytes:
        return f"{self._owner}\n{slot}\n".encode()


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
