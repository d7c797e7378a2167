"""The last steps before the app: from a copy of the keeper to the app's program, rid of all that it must not have."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from node_scripts.running import kernel, limits, seccomp, view
from node_scripts.running.logfile import LogBound
from node_scripts.running.processes import threads_of_user
from node_scripts.running.users import User
from wire.messages import Resources

# Python and the keeper ignore some of these, and what is ignored stays so in the next program; it expects the defaults.
_DEFAULTS: Final = (
    *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD),
)

_FILTER: Final = seccomp.program() if kernel.can_filter_calls() else None
"""Made before any fork. None where the kernel has no such filters, or the processor is of a kind not known here."""


def filters_calls() -> bool:
    """Whether apps are kept from what no process and no folder shows (`node_scripts.running.seccomp`)."""
    return _FILTER is not None


@dataclass(frozen=True)
class Command:
    """One program to run under a keeper."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    directory: Path
    resources: Resources
    user: User | None
    """None: the agent's own user."""
    view: view.View | None
    """None: what the permissions allow."""
    measured: tuple[Path, ...]
    """The folders whose content counts as the command's disk."""
    log_bound: LogBound
    given_bytes: int = 0
    """What lies in the measured folders before it starts, and does not count."""
    spread: int = 0
    """The slot, to give different ones different processors."""


def start(command: Command, output: int, started: Callable[[int], None]) -> str | None:
    """Start the command with `output` as its standard output and error; `started` gets the process id at once.

    Returns when the new program runs, or the words for why it does not.
    """
    report, broken = os.pipe2(os.O_CLOEXEC)
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(command, output, broken, keeper)
    started(pid)
    os.close(broken)
    # The writing end closes by itself when the program replaces the child.
    failure = b""
    while chunk := os.read(report, 4096):
        failure += chunk
    os.close(report)
    return failure.decode("utf-8", "replace") or None


def _become(command: Command, output: int, broken: int, keeper: int) -> NoReturn:
    try:
        os.setsid()
        for number in _DEFAULTS:
            signal.signal(number, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        others = 0 if command.user is not None else threads_of_user(os.getuid())
        limits.apply(command.resources, spread=command.spread, others=others)
        if command.view is not None:
            view.enter(command.view)
        if command.user is not None:
            os.setgroups(command.user.groups)
            os.setresgid(command.user.gid, command.user.gid, command.user.gid)
            os.setresuid(command.user.uid, command.user.uid, command.user.uid)
        kernel.forbid_new_rights()
        if _FILTER is not None:
            kernel.filter_calls(_FILTER)
        # After the change of user, which would clear it.
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(127)
        os.umask(0o077)
        os.chdir(command.directory)
        os.execve(command.argv[0], command.argv, command.environment)  # noqa: S606  no shell is the point
    except BaseException as error:  # this process has nobody above it
        with contextlib.suppress(OSError):
            os.write(broken, str(error).encode())
    finally:
        os._exit(127)
