"""What an app may not ask of the kernel: a seccomp filter, since what these calls give is in no process and no folder.

- A user namespace of its own, in which it could mount file systems in memory, as large as it likes and out of sight.
- Keys kept by the kernel for its user: the slot's next app, which is somebody else's, would find them.
- io_uring and secret memory, which hold files and pages that no list of a process's shows.

It stays with the process and all that it starts. Programs for a processor whose calls are not known here (or the 32-bit
one of a known one, where it is not in the table) get none of their calls.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import Final, NamedTuple

from node_scripts.running.kernel import CLONE_NEWUSER

_LOAD: Final = 0x20  # a word of what the kernel tells of the call
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets; of an argument the lower half, on little endian
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_UNKNOWN: Final = 0x00050000 | errno.ENOSYS
_X32: Final = 0x40000000  # a third set of calls on x86_64, from this number on
_NEVER: Final = 0xFFFFFFFF

_IO_URING_SETUP, _CLONE3, _MEMFD_SECRET = 425, 435, 447  # the same everywhere


class _Calls(NamedTuple):
    audit: int
    """The kernel's name for the architecture."""
    clone: int
    unshare: int
    keys: tuple[int, int, int]
    """add_key, request_key, keyctl."""


_X86_64: Final = _Calls(0xC000003E, 56, 272, (248, 249, 250))
_I386: Final = _Calls(0x40000003, 120, 310, (286, 287, 288))
_AARCH64: Final = _Calls(0xC00000B7, 220, 97, (217, 218, 219))
_ARM: Final = _Calls(0x40000028, 120, 337, (309, 310, 311))
_RISCV64: Final = _Calls(0xC00000F3, 220, 97, (217, 218, 219))
_MACHINES: Final = {
    "x86_64": (_X86_64, _I386),
    "aarch64": (_AARCH64, _ARM),
    "riscv64": (_RISCV64,),
}


def program(machine: str = platform.machine()) -> bytes | None:
    """The filter for this machine; None where its calls are not known here."""
    known = _MACHINES.get(machine)
    if known is None:
        return None
    steps = [_step(_LOAD, _ARCHITECTURE)]
    for calls in known:
        block = _block(calls)
        steps += [_step(_EQUAL, calls.audit, 0, len(block)), *block]
    steps.append(_step(_RETURN, _UNKNOWN))
    return b"".join(steps)


def _block(calls: _Calls) -> list[bytes]:
    """The judgement of one architecture's call; it always returns."""
    refused = (*calls.keys, _IO_URING_SETUP, _MEMFD_SECRET)
    # From behind: allow, refuse, unknown, then the flags' look, then one comparison for each number.
    ends = [_step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE), _step(_RETURN, _UNKNOWN)]
    flags = [_step(_LOAD, _FIRST_ARGUMENT), _step(_ANY_BIT, CLONE_NEWUSER, 1, 0)]
    # Each row: how, what, and how far behind the last comparison it goes on.
    rows = [
        (_EQUAL, calls.clone, 0),
        (_EQUAL, calls.unshare, 0),
        *((_EQUAL, number, len(flags) + 1) for number in refused),
        # Its flags are in memory, where a filter cannot look. Without it the C library uses clone.
        (_EQUAL, _CLONE3, len(flags) + 2),
        (_AT_LEAST, _X32 if calls is _X86_64 else _NEVER, len(flags) + 2),
    ]
    # What no row concerns passes over the flags' look, by a comparison that always fits.
    rows.append((_AT_LEAST, 0, len(flags)))
    compared = [
        _step(how, what, len(rows) - position - 1 + behind, 0) for position, (how, what, behind) in enumerate(rows)
    ]
    return [_step(_LOAD, _NUMBER), *compared, *flags, *ends]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
