"""Runs a command that must not outlive the process that started it: `python tether.py PARENT_PID FOLDER COMMAND...`

The kernel signals this process when its parent, the plays process, is gone, however it went. It then ends the play:
the command, Ansible's workers (which are in sessions of their own, so that no signal to a group reaches them), and the
private directory. ansible-runner makes its child ignore the hang-up that would tell it otherwise.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

# Run as a file, apart from any environment: it finds its neighbour itself.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from webfront.plays.private import finish

_PR_SET_PDEATHSIG = 1


def main(parent: int, folder: Path, command: list[str]) -> int:
    """Run the command to its end and return its exit code."""

    def end(number: int = 0, frame: FrameType | None = None) -> None:
        finish(folder)
        os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        end()  # it died before the kernel was asked
    code = subprocess.call(command)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
