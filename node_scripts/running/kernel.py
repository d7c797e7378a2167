"""The system calls that Python 3.11 has no names for. Each raises OSError."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38

# These have the same numbers on every architecture.
_SYS_OPEN_TREE: Final = 428
_SYS_MOVE_MOUNT: Final = 429
_SYS_MOUNT_SETATTR: Final = 442
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_OPEN_TREE_CLONE: Final = 1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 4
_CAP_SYS_PTRACE: Final = 19
_IPC_RMID: Final = 0
_AT_RECURSIVE: Final = 0x8000
_MOUNT_ATTR_RDONLY: Final = 1
_MOUNT_ATTR_IDMAP: Final = 0x00100000

# Loaded before any fork, so that no child has to load anything.
_libc: Final = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path | str, kind: str | None, flags: int, options: str = "") -> None:
    """As mount(2)."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags), options.encode() or None
    )
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot mount: {os.strerror(number)}", os.fspath(target))


@contextlib.contextmanager
def files_as(uid: int, gid: int) -> Iterator[None]:
    """Within the block, the calling thread alone reaches files as this user and group would: setfsuid(2), setfsgid(2).

    Root's right to pass over permissions is gone meanwhile. Supplementary groups stay. `die_with_parent` is undone.
    """
    try:
        _file_id(_libc.setfsgid, gid)
        _file_id(_libc.setfsuid, uid)
        yield
    finally:
        _file_id(_libc.setfsuid, os.geteuid())
        _file_id(_libc.setfsgid, os.getegid())


def _file_id(call: Any, number: int) -> None:
    call(number)
    # It tells no failure, only what was in force before the call.
    if call(ctypes.c_uint(-1)) != number:
        raise OSError(errno.EPERM, f"files cannot be reached as {number}")


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own."""
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a namespace")


def remove_ipc(uid: int) -> None:
    """Remove the System V objects of the caller's IPC namespace that this user has made, as far as the caller may."""
    removals: dict[str, Callable[[int], object]] = {
        "shm": lambda number: _libc.shmctl(number, _IPC_RMID, None),
        "msg": lambda number: _libc.msgctl(number, _IPC_RMID, None),
        "sem": lambda number: _libc.semctl(number, 0, _IPC_RMID),
    }
    for kind, remove in removals.items():
        header, *rows = (line.split() for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines())
        for row in rows:
            if int(row[header.index("cuid")]) == uid:
                remove(int(row[1]))


def mount_read_only(folder: str) -> None:
    """Make this mount and all below it read-only. Needs Linux 5.12 or later."""
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    flags = _AT_RECURSIVE
    _call(_SYS_MOUNT_SETATTR, _AT_FDCWD, folder.encode(), flags, attributes, len(attributes))


def mount_as_owned(folder: Path, namespace: int) -> None:
    """Mount the folder over itself with its owners mapped as the user namespace says.

    Only who comes through this mount sees them so; nothing of the folder changes. Needs Linux 5.12 or later, and a file
    system that can.
    """
    path = os.fsencode(folder)
    tree = _call(_SYS_OPEN_TREE, _AT_FDCWD, path, _OPEN_TREE_CLONE | os.O_CLOEXEC)
    try:
        attributes = struct.pack("QQQQ", _MOUNT_ATTR_IDMAP, 0, 0, namespace)
        _call(_SYS_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, len(attributes))
        _call(_SYS_MOVE_MOUNT, tree, b"", _AT_FDCWD, path, _MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this signal to the calling process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Make the calling process the parent of each descendant that loses its own."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_rights() -> None:
    """From here on no program gives this process more rights (no set-user-id, no sudo)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def sees_every_process() -> bool:
    """Whether the calling process may look at what others hold, whoever runs them: CAP_SYS_PTRACE."""
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) & 1 << _CAP_SYS_PTRACE)


def filter_calls(program: bytes) -> None:
    """Have each system call of the calling process judged by this filter. Needs `forbid_new_rights` before."""
    instructions = ctypes.create_string_buffer(program, len(program))
    described = ctypes.create_string_buffer(struct.pack("HP", len(program) // 8, ctypes.addressof(instructions)))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described)


def can_filter_calls() -> bool:
    """Whether this kernel has such filters."""
    try:
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER)  # without a filter, which is the fault that it finds
    except OSError as error:
        return error.errno == errno.EFAULT
    return True


def name_process(name: str) -> None:
    """What `ps` and `top` call the process; at most 15 bytes."""
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:15]))


def _prctl(option: int, *values: int | ctypes.Array[ctypes.c_char]) -> None:
    given = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in (*values, 0, 0, 0)[:4]]
    if _libc.prctl(option, *given) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _call(number: int, *arguments: int | bytes) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"system call {number}: {os.strerror(error)}")
    return result
