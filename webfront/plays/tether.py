"""Runs a command that must not outlive the process that started it: `python tether.py PARENT_PID COMMAND...`

The kernel signals this process when its parent is gone, however it went; it then ends its process group, the command
with it. The parent is the plays process; ansible-runner makes its child ignore the hang-up that would tell it.
"""

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1


def _end_group(number: int = 0, frame: FrameType | None = None) -> None:
    os.killpg(0, signal.SIGKILL)


def main(parent: int, command: list[str]) -> int:
    """Run the command to its end and return its exit code."""
    signal.signal(signal.SIGTERM, _end_group)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        _end_group()  # it died before the kernel was asked
    code = subprocess.call(command)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
