"""The platform's processes: asked from supervisor over its socket, and found by the mark they carry.

Only the standard library: this works without the virtual environment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import http.client
import os
import re
import signal
import socket
import subprocess
import time
import xmlrpc.client
from pathlib import Path
from typing import Any, Final

from embedded.home import MARK, Home
from embedded.problems import Problem

_STOP_S: Final = 60.0
_LEFTOVER_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1


@dataclasses.dataclass(frozen=True)
class Process:
    """One kept process. `state` is `running`, `starting`, `stopped`, `failed`; `retrying` is one that ended at once
    and is tried again."""

    name: str
    state: str
    pid: int | None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


def supervisor(home: Home) -> Any:
    """Supervisor's methods. A call raises OSError when it does not run."""
    return xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(home.supervisor_socket)).supervisor


def is_up(home: Home) -> bool:
    """Whether supervisor answers."""
    with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
        return bool(supervisor(home).getState())
    return False


def list_processes(home: Home) -> list[Process]:
    """Every process the platform has, running or not, by name."""
    words = {"fatal": "failed", "exited": "failed", "backoff": "retrying"}
    try:
        found = supervisor(home).getAllProcessInfo()
        keeper = Process("supervisor", "running", int(supervisor(home).getPID()))
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return [Process(name, "stopped", None) for name in _known_programs(home)]
    kept = [
        Process(str(one["name"]), words.get(state := str(one["statename"]).lower(), state), int(one["pid"]) or None)
        for one in found
    ]
    return [keeper, *sorted(kept, key=lambda one: one.name)]


def _known_programs(home: Home) -> list[str]:
    names = ["supervisor"] if home.supervisor_dir.is_dir() else []
    for path in sorted(home.supervisor_dir.glob("programs/*.conf")):
        names += re.findall(r"^\[program:([^\]]+)\]", path.read_text(encoding="utf-8"), re.MULTILINE)
    return names


def marked(home: Home) -> list[int]:
    """The processes of this platform, by the mark in their environment; not this one."""
    return _find(f"{MARK}={home.path}")


def _find(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # A process may end at any moment, and another user's cannot be looked at: both are no concern here.
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def start(home: Home) -> None:
    """Start supervisor and with it all that was set up, or what of it is not running. Raises `Problem`."""
    if is_up(home):
        supervisor(home).startAllProcesses(False)
        return
    # A supervisor that was killed left its processes behind.
    end_leftovers(home)
    done = subprocess.run(
        [str(home.venv / "bin/supervisord"), "-c", str(home.supervisor_dir / "supervisord.conf")],
        env=home.environment() | {MARK: str(home.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Problem(f"supervisor does not start: {done.stdout}{done.stderr}", "Run ./quickstart to repair it.")


def stop(home: Home) -> bool:
    """End every process of the platform, the keepers of running jobs too. Whether there was anything to end.

    Supervisor ends its own in good order. What is left (keepers, Erlang's port mapper, the processes of a supervisor
    that was killed) is told to end, and killed if it does not. A job that ran is run again after the next start.
    """
    was_up = is_up(home)
    if was_up:
        pid = int(supervisor(home).getPID())
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
            supervisor(home).shutdown()
        _wait(lambda: not _is_alive(pid), _STOP_S)
    return end_leftovers(home) or was_up


def end_leftovers(home: Home) -> bool:
    """End what carries this platform's mark. Only while its supervisor is down, or to be ended too."""
    return end_marked(f"{MARK}={home.path}")


def end_marked(mark: str) -> bool:
    """End every process with this `NAME=VALUE` in its environment: told to, then killed. Whether there was one."""
    if not _find(mark):
        return False
    _signal(_find(mark), signal.SIGTERM)
    if not _wait(lambda: not _find(mark), _LEFTOVER_S):
        _signal(_find(mark), signal.SIGKILL)
        if not _wait(lambda: not _find(mark), _LEFTOVER_S):
            numbers = " ".join(map(str, _find(mark)))
            raise Problem(
                f"these processes of the platform do not end: {numbers}",
                f"Look at them: ps -fp {numbers}, then end them.",
            )
    return True


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError as error:
            raise Problem(
                f"process {pid} of the platform belongs to another user",
                "Run this as the user who started it, or as root.",
            ) from error


def _is_alive(pid: int) -> bool:
    try:
        # A zombie whose parent does not fetch it has ended all the same.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError as error:
        return error.errno not in {errno.ENOENT, errno.ESRCH}


def _wait(done: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True
