"""Runs one part of the tests with a limit, and leaves nothing of it running.

    bounded.py SECONDS LOG COMMAND...

The command's output goes to the file LOG and, as it comes, to standard output. It is not handed our own standard
output, because a daemon that outlives the part would keep that open and whoever reads it waiting. When the command
ends, or its time is over, every process that descends from it is ended too: orphans are adopted by this process
(a child subreaper, Linux), so that none escapes by changing its session. Exits with the command's own status, 124
when the time was over. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36
TIME_IS_OVER = 124
GRACE_S = 10.0


class Interrupted(BaseException):
    """Someone asked this process to end."""


def descendants() -> list[int]:
    """The ids of all living processes below this one."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name, in parentheses, may hold spaces and parentheses itself.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(folder.name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def reap(but: int | None = None) -> None:
    """Collects the ended orphans that this process adopted, as an init does: a test may wait for one to be gone.

    The process `but` keeps its exit status for whoever started it.
    """
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == but:
                return
            os.waitpid(ended.si_pid, 0)


def end_all() -> None:
    """Ends every descendant: SIGTERM, then, after `GRACE_S`, SIGKILL."""
    for signal_number, grace in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        until = time.monotonic() + grace
        told: set[int] = set()
        while (living := descendants()) and time.monotonic() < until:
            for pid in set(living) - told:
                told.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
            time.sleep(0.1)
            reap()


def name_of(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return str(pid)
    return f"{pid} {line[:150]}"


def run(limit_s: float, log: Path, command: list[str]) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + limit_s
    with log.open("wb") as written, log.open("rb") as read:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, start_new_session=True
        )
        while (status := process.poll()) is None and time.monotonic() < until:
            pass_on(read.read())
            reap(but=process.pid)
            time.sleep(0.05)
        pass_on(read.read())
    if status is None:
        say(f"its {limit_s:.0f} s are over")
        return TIME_IS_OVER
    return status if status >= 0 else 128 - status


def pass_on(output: bytes) -> None:
    if output:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()


def say(words: str) -> None:
    print(f"bounded.py: {words}", flush=True)


def interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise Interrupted(signal_number)


def main() -> int:
    limit_s, log, command = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        status = run(limit_s, log, command)
        if status != TIME_IS_OVER:
            for pid in descendants():
                say(f"still ran when the part had ended, and is ended now: {name_of(pid)}")
    except Interrupted as interruption:
        status = 128 + int(interruption.args[0])
    end_all()
    return status


if __name__ == "__main__":
    sys.exit(main())
