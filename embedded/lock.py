"""One ./quickstart at a time on a platform: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import Final

from embedded.home import Home
from embedded.problems import Problem

_LONGEST_WAIT_S: Final = 300.0


@contextlib.contextmanager
def locked(home: Home) -> Iterator[None]:
    """Hold the lock of the platform's directory. The bootstrap hands its own over in SKERRY_LOCK_FD."""
    if handed := os.environ.pop("SKERRY_LOCK_FD", ""):
        os.set_inheritable(int(handed), False)
        yield
        return
    if not home.path.is_dir():
        yield
        return
    fd = os.open(home.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(fd)
        yield
    finally:
        os.close(fd)


def _take(fd: int) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_S
    told = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                print("  ...   waiting for another ./quickstart that is running here", flush=True)
                told = True
            if time.monotonic() > deadline:
                raise Problem(
                    "another ./quickstart has been running here for five minutes",
                    "Look at it (ps -ef | grep quickstart), end it, then run this again.",
                ) from None
            time.sleep(0.3)
        else:
            return
