"""The keeper: a small process, forked from the agent, that starts one command, watches it, and ends all of it.

It outlives the agent. It does nothing but wait: for the command's output, for its end, for a signal, for the next look
at memory and disk, for the end of the time. Its last act is the exit record; without one, it was killed.

    SIGUSR1   end the command: cancelled
    SIGTERM   the machine goes down: end the command, the node lost it (its job runs again elsewhere)
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from node_scripts.running import app_process
from node_scripts.running.app_process import Command
from node_scripts.running.kernel import CLONE_NEWIPC, adopt_orphans, die_with_parent, name_process, unshare
from node_scripts.running.logfile import LogSink, count_lines
from node_scripts.running.rooms import Exit, reserve, write_record
from node_scripts.running.supervision import Supervision
from wire.messages import Cause

CANCEL: Final = signal.SIGUSR1
_GOING_DOWN: Final = signal.SIGTERM
_SIGNALS: Final = signal.valid_signals()


@dataclass(frozen=True)
class Post:
    """Where a keeper stands: its files, and the descriptors it keeps from the agent."""

    record: Path
    """Locked by `lock`; the keeper writes its process id here before it starts the command."""
    exit: Path
    log: Path
    lock: int
    live: Path | None = None
    """Where glimpses of a long log go."""
    held: tuple[int, ...] = ()
    """Other locks that live as long as the keeper."""
    ends_with_agent: bool = False


class KeeperHandle:
    """The agent's hold on a keeper: a child of its own, or one it found after a restart."""

    def __init__(self, pid: int, *, is_child: bool) -> None:
        self._pid = pid
        self._is_child = is_child
        self._pidfd = os.pidfd_open(pid)
        self._gone: asyncio.Future[None] | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the keeper is known to be gone."""
        return self._ended

    async def wait(self) -> None:
        """Return when the keeper is gone. Several may wait."""
        if self._ended:
            return
        loop = asyncio.get_running_loop()
        if self._gone is None:
            self._gone = loop.create_future()
            loop.add_reader(self._pidfd, self._on_end, loop)
        await asyncio.shield(self._gone)

    def cancel(self) -> None:
        """Have the keeper end its command. Nothing once it is gone."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, CANCEL)

    def close(self) -> None:
        """Let go of a keeper that turned out to be gone. Not while somebody waits."""
        if not self._ended:
            os.close(self._pidfd)
            self._ended = True

    def _on_end(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._ended = True
        if self._is_child:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)


def start(command: Command, post: Post) -> KeeperHandle:
    """Fork a keeper for the command. The caller still has to close its own copies of the locks.

    Must be called in the agent's main thread: the child is a copy of this thread alone, and touches nothing that
    another might have held locked (no logging, no threads, no event loop). Raises OSError when no process can be made.
    """
    agent = os.getpid()
    # No signal may reach the child before its own handlers stand: asyncio's would write into the agent's wakeup pipe.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _live(command, post, agent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return KeeperHandle(pid, is_child=True)


def _live(command: Command, post: Post, agent: int) -> NoReturn:
    # Whatever happens, this copy of the agent must never return into the agent's code.
    try:
        gc.disable()  # a collection would touch, and so copy, every page shared with the agent
        wakeup = _take_over_signals()
        _let_go({post.lock, *post.held, *wakeup})
        os.setsid()
        name_process("skerry-keeper")
        adopt_orphans()
        if post.ends_with_agent:
            die_with_parent(CANCEL)
            if os.getppid() != agent:
                os._exit(1)
        post.record.write_text(str(os.getpid()))
        with contextlib.suppress(OSError):
            reserve(post.exit)
        end = _keep(command, post, wakeup[0])
    except BaseException as error:  # there is nobody above to tell
        end = Exit(Cause.REJECTED, f"the node could not run the app: {error}")
    with contextlib.suppress(BaseException):
        write_record(post.exit, end)
    os._exit(0)


def _keep(command: Command, post: Post, wakeup: int) -> Exit:
    if command.view is not None:
        # Its own too, so that it sees what is in it; and it ends with the last of both.
        unshare(CLONE_NEWIPC)
    pipe, app_output = os.pipe2(os.O_CLOEXEC)
    if command.user is not None:
        os.fchown(app_output, command.user.uid, command.user.gid)  # so that it can open /dev/stdout and /dev/stderr
    log = os.open(post.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    sink = LogSink(pipe, log, command.log_bound, before=count_lines(post.log), live=post.live)
    supervision = Supervision(
        command,
        sink,
        wakeup,
        may_change_user=not post.ends_with_agent,
        is_cancel=_is(CANCEL),
        is_going_down=_is(_GOING_DOWN),
    )
    failure = app_process.start(command, app_output, supervision.started)
    os.close(app_output)
    if failure is None:
        supervision.watch()
    supervision.end_all()
    if os.fstat(log).st_size:
        with contextlib.suppress(OSError):  # a full disk; the exit record says how many lines there were
            os.fdatasync(log)  # before the exit record: what is said to have ended has its whole log
    return (
        supervision.exit() if failure is None else Exit(Cause.REJECTED, f"the node could not start the app: {failure}")
    )


def _is(number: signal.Signals) -> Callable[[bytes], bool]:
    return lambda numbers: number in numbers


def _take_over_signals() -> tuple[int, int]:
    """Every signal this process looks at arrives as a byte in the pipe returned; the agent's handlers are gone."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (CANCEL, _GOING_DOWN, signal.SIGCHLD):
        signal.signal(number, _noted)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return reading, writing


def _noted(number: int, frame: object) -> None:
    """The wakeup pipe has the signal already."""


def _let_go(kept: Iterable[int]) -> None:
    """Close every descriptor of the agent's but these: its connection to the broker above all."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, max(low, os.sysconf("SC_OPEN_MAX")))
