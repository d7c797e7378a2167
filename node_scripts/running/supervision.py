"""What a keeper does while its command runs, and the judgement of how it ended."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from node_scripts.running import processes, trees
from node_scripts.running.app_process import Command
from node_scripts.running.kernel import files_as, sees_every_process
from node_scripts.running.limits import MB
from node_scripts.running.logfile import LogSink, last_line
from node_scripts.running.rooms import Exit
from node_scripts.running.users import kill_user, remove_segments
from wire.messages import Cause, Usage

# The next look comes when the app could have filled the rest of its share at these speeds, and within these bounds.
_MEMORY_SPEED: Final = 4e9
_MEMORY_LOOKS_S: Final = (0.02, 0.25)
_DISK_SPEED: Final = 1e9
_DISK_LOOKS_S: Final = (0.1, 2.0)
_NAMELESS_LOOKS_S: Final = 0.25
_DISK_SHARE: Final = 50  # a look that took long is not repeated before this many times its duration
_DISK_SLACK: Final = 2**20  # the folders themselves take some blocks
_FIRST_LOOK_S: Final = 0.01
_END_WITHIN_S: Final = 15.0

_SEES_ALL: Final = sees_every_process()

_NO_SPACE_WORDS: Final = ("No space left on device", "[Errno 28]")
_FULL_BELOW: Final = 2**20

_OUT_OF_MEMORY_WORDS: Final = ("MemoryError", "Cannot allocate memory", "std::bad_alloc", "Unable to allocate")


class Supervision:
    """Watches one command from its start to the end of the last process it left."""

    def __init__(
        self,
        command: Command,
        sink: LogSink,
        wakeup: int,
        *,
        may_change_user: bool,
        is_cancel: Callable[[bytes], bool],
        is_going_down: Callable[[bytes], bool],
    ) -> None:
        """`may_change_user`: the caller does not rely on `die_with_parent`, which that would undo."""
        self._command = command
        self._resources = command.resources
        self._sink = sink
        self._wakeup = wakeup
        self._is_cancel = is_cancel
        self._is_going_down = is_going_down
        self._main = 0
        self._status: int | None = None
        self._verdict: tuple[Cause, str] | None = None
        self._left_running = False
        self._started_at = time.monotonic()
        self._ended_at = self._started_at
        user = command.user
        # Whom a container denies the right to look at others' processes looks at an app's as the app's own user.
        self._as_user = (
            functools.partial(files_as, user.uid, user.gid)
            if user is not None and may_change_user and not _SEES_ALL
            else contextlib.nullcontext
        )
        self._nameless_files = processes.NamelessFiles(
            is_apart=command.view is not None, owner=user.uid if user is not None else None
        )
        self._nameless = processes.Nameless(0, 0)
        self._own_bytes = processes.resident_bytes([os.getpid()])
        self._peak_bytes = 0
        self._kernel_kills = processes.kernel_memory_kills()
        self._poll = select.poll()
        self._poll.register(wakeup, select.POLLIN)
        self._poll.register(sink.pipe, select.POLLIN)
        self._output_open = True

    def started(self, pid: int) -> None:
        """The command's process was made."""
        self._main = pid
        self._started_at = time.monotonic()

    def watch(self) -> None:
        """Return when the command's first process has ended, or when there is a reason to end it."""
        deadline = self._started_at + self._resources.timeout_s
        memory_at = self._started_at + _FIRST_LOOK_S
        disk_at = self._started_at + _DISK_LOOKS_S[0]
        nameless_at = self._started_at + _NAMELESS_LOOKS_S
        while self._status is None and self._verdict is None:
            now = time.monotonic()
            if now >= deadline:
                self._verdict = Cause.TIMEOUT, f"ran longer than the {self._resources.timeout_s:g} s it asked for"
                return
            if now >= nameless_at:
                nameless_at = now + self._look_at_nameless()
            if now >= memory_at:
                memory_at = now + self._look_at_memory()
            if now >= disk_at:
                disk_at = now + self._look_at_disk()
            self._sink.look()
            self._wait(min(deadline, memory_at, disk_at, nameless_at) - time.monotonic())

    def end_all(self) -> None:
        """Kill what is left of the command, and return when it is gone, its output taken over."""
        give_up_at = time.monotonic() + _END_WITHIN_S
        # A subreaper without children has no descendants at all: nobody can have slipped away.
        while self._reap():
            if time.monotonic() >= give_up_at:
                self._left_running = True
                break
            self._kill()
            self._wait(0.02)
        self._ended_at = time.monotonic()
        if self._command.user is not None and self._command.view is None:
            remove_segments(self._command.user.uid)
        self._nameless = processes.Nameless(0, 0)  # it went with the processes
        if self._verdict is None and self._status == 0:
            self._look_at_disk()  # a short app may have written past its share between two looks
        self._sink.pump(rounds=1000)
        self._sink.finish()

    def exit(self) -> Exit:
        """The judgement."""
        cause, message, code = self._judge()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        largest = used.ru_maxrss * 1024
        # A process's own maximum begins with what its parent had when it was forked, so a small one says nothing.
        peak = max(self._peak_bytes, largest if largest > 1.05 * self._own_bytes else 0)
        usage = Usage(
            wall_s=round(self._ended_at - self._started_at, 4),
            cpu_s=round(used.ru_utime + used.ru_stime, 4),
            peak_memory_mb=round(peak / MB, 1),
        )
        return Exit(cause, message, code, usage, self._sink.lines, self._left_running)

    def _judge(self) -> tuple[Cause, str, int | None]:
        status = self._status
        code = None if status is None else os.waitstatus_to_exitcode(status)
        if self._verdict is not None:
            return *self._verdict, None
        if code == 0:
            return Cause.OK, "", 0
        said = last_line(self._sink.tail)
        if code is not None and code < 0:
            return self._judge_signal(-code, said)
        if any(word in said for word in _OUT_OF_MEMORY_WORDS):
            return Cause.OUT_OF_MEMORY, f"could not get the memory it wanted ({said})", code
        if any(word in said for word in _NO_SPACE_WORDS) and self._is_disk_full():
            return Cause.REJECTED, self._no_space(said), code
        if "[Errno 27]" in said:
            said += f" (a file may have the {self._resources.disk_mb:,} MB the app asked for)"
        return Cause.APP_ERROR, said or f"exited with status {code} and said nothing", code

    def _judge_signal(self, number: int, said: str) -> tuple[Cause, str, int]:
        code = 128 + number  # as a shell says it
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        if number == signal.SIGKILL and processes.kernel_memory_kills() > self._kernel_kills:
            return Cause.OUT_OF_MEMORY, "the kernel ended it because the machine had no memory left", code
        if any(word in said for word in _OUT_OF_MEMORY_WORDS):
            return Cause.OUT_OF_MEMORY, f"could not get the memory it wanted ({said})", code
        if number == signal.SIGXCPU:
            return Cause.TIMEOUT, "used more processor time than it asked for", code
        if number == signal.SIGXFSZ:
            return Cause.APP_ERROR, f"wrote a file of more than the {self._resources.disk_mb:,} MB it asked for", code
        return Cause.APP_ERROR, f"was ended by {name}" + (f" ({said})" if said else ""), code

    def _no_space(self, said: str) -> str:
        asked = f"{self._resources.disk_mb:,} MB it asked for"
        return f"the node's disk was full before the app had used the {asked} ({said})"

    def _is_disk_full(self) -> bool:
        with suppress(OSError):
            found = os.statvfs(self._command.measured[0])
            return found.f_bavail * found.f_frsize < _FULL_BELOW
        return False

    def _wait(self, seconds: float) -> None:
        """Until output, a signal, or the time; takes in whichever came."""
        for fd, event in self._poll.poll(max(0.0, seconds) * 1000 + 0.5):
            if fd == self._wakeup:
                self._take_signals()
            elif not self._sink.pump() or event & (select.POLLERR | select.POLLNVAL):
                # Every writer has closed its end. The command may run on in silence.
                self._poll.unregister(self._sink.pipe)
                self._output_open = False

    def _take_signals(self) -> None:
        numbers = b""
        with suppress(BlockingIOError):
            numbers = os.read(self._wakeup, 512)
        if self._status is None and self._verdict is None:
            if self._is_cancel(numbers):
                self._verdict = Cause.CANCELLED, "was cancelled while it ran"
            elif self._is_going_down(numbers):
                self._verdict = Cause.NODE_LOST, "the node was shut down while it ran"
        self._reap()

    def _reap(self) -> bool:
        """Collect the children that have ended. False when there is none left at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._main:
                self._status = status

    def _kill(self) -> None:
        if self._command.user is not None:
            kill_user(self._command.user.uid)
            # A child that failed before it took on its user is still one of the keeper's own.
            self._signal(signal.SIGKILL)
            return
        # Without a user of their own: stopped first, all of them, so that none makes another while the rest is killed.
        self._signal(signal.SIGSTOP)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for pid in processes.descendants(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _look_at_memory(self) -> float:
        """Judge the memory in use; returns the seconds until the next look."""
        limit = self._resources.memory_mb * MB
        family = processes.descendants(os.getpid())
        used = processes.resident_bytes(family)
        unseen = self._nameless.memory
        if unseen:
            used += max(0, unseen - processes.shared_bytes(family))
        if used > limit and (unseen or len(family) > 1):
            self._look_at_nameless()
            used, shared = processes.proportional_bytes(family)
            used += max(shared, self._nameless.memory)
        self._peak_bytes = max(self._peak_bytes, used)
        if used > limit:
            self._verdict = (
                Cause.OUT_OF_MEMORY,
                f"used {used / MB:,.0f} MB of the {self._resources.memory_mb:,} MB it asked for",
            )
        return _within((limit - used) / _MEMORY_SPEED, _MEMORY_LOOKS_S)

    def _look_at_nameless(self) -> float:
        """Measure what is in files without a name; returns the seconds until the next look."""
        began = time.monotonic()
        family = processes.descendants(os.getpid())
        with self._as_user():
            self._nameless = self._nameless_files.measure(family)
        return max(_NAMELESS_LOOKS_S, _DISK_SHARE * (time.monotonic() - began))

    def _look_at_disk(self) -> float:
        """Judge the disk in use; returns the seconds until the next look."""
        began = time.monotonic()
        limit = self._resources.disk_mb * MB
        try:
            used = max(0, trees.disk_bytes(self._command.measured) - self._command.given_bytes)
        except OSError:
            self._verdict = Cause.APP_ERROR, "its folders lie too deep in one another for what is in them to be counted"
            return _DISK_LOOKS_S[1]
        used += self._nameless.disk
        if used > limit + _DISK_SLACK:
            self._verdict = (
                Cause.APP_ERROR,
                f"wrote {used / MB:,.0f} MB to the disk; it asked for {self._resources.disk_mb:,} MB",
            )
        pause = _within((limit - used) / _DISK_SPEED, _DISK_LOOKS_S)
        return max(pause, _DISK_SHARE * (time.monotonic() - began))


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])
