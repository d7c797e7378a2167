"""The process that works for nodes without an agent, kept running while there is such a node.

It is a child of the plays process and is killed with it, however that goes: what it was about is in files, on this host
and on the machines, and its next start goes on from there.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from webfront.database.models import Node
from webfront.fleet.states import NodeState

_log = logging.getLogger(__name__)

_COMMAND: Final = (sys.executable, "-m", "dispatch")
_PAUSES_S: Final = (0.0, 1.0, 5.0, 20.0)
_WELL_S: Final = 60.0
_STOP_S: Final = 12.0
_PR_SET_PDEATHSIG: Final = 1
# Loaded before any fork.
_libc: Final = ctypes.CDLL(None, use_errno=True)


class Dispatching:
    """Looks after that process. For one thread, the one that outlives it: the child ends with the thread."""

    def __init__(
        self, left: Path, command: tuple[str, ...] = _COMMAND, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`left` is the folder in which that process has one for each node, and removes that of a node that is gone."""
        self._left = left
        self._command = command
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._failures = 0

    def keep(self, *, leads: bool = True) -> None:
        """Start it if it is needed and not there, stop it if it is not needed. Asks the database; call it often.

        `leads`: of several controllers, this is the one that works for these nodes.
        """
        needed = leads and (self._has_nodes() or self._has_left())
        if self._process is not None and self._process.poll() is not None:
            _log.error("the process for nodes without an agent has ended, with status %d", self._process.returncode)
            self._failures = 0 if self._clock() - self._started_at > _WELL_S else self._failures + 1
            self._process = None
        if self._process is not None and not needed:
            self.stop()
        pause = _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
        if self._process is None and needed and self._clock() - self._started_at >= pause:
            self._started_at = self._clock()
            parent = os.getpid()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                preexec_fn=lambda: _end_with(parent),
            )

    def _has_nodes(self) -> bool:
        stands = Node.machine.is_null(False) & (Node.state != NodeState.REMOVED)
        return bool(Node.select(Node.id).where(stands).exists())

    def _has_left(self) -> bool:
        """Whether something of a node that is gone is still to be cleared up."""
        try:
            return any(self._left.iterdir())
        except OSError:
            return False

    def stop(self) -> None:
        """Have it end, and wait for that."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None


def _end_with(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
