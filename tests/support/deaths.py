"""Deaths: a piece of work, done by another process that is killed before a line of its way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any

from playhouse.pool import PooledDatabase

import webfront
from webfront.database import models

ROOM = Path(webfront.__file__).parent


def dies_at(number: int, work: Callable[[], object], *, lines_of: Collection[str]) -> bool:
    """Have another process do the work, and die before its line of this number. False: it got to its end.

    The lines of these files count, named as they lie in `webfront`.
    """
    counted = {str(ROOM / name) for name in lines_of}
    leave_the_database()
    child = os.fork()
    if child == 0:
        left = number

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in counted:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def leave_the_database() -> None:
    """Before a fork: a connection that both processes held would outlive the child, and its transaction with it."""
    models.database.close()
    if isinstance(database := models.database.obj, PooledDatabase):
        database.close_idle()
