"""Room kept on the node's disk, so that an agent can begin on a disk that is full.

    STATE/ballast

A start writes: a journal's log, a try of an overlay, a lock. On a full disk it could not, and the node would be dead
where it only refuses. So the ballast goes first of all at a start, and a look at the node that finds room makes it
again. Should somebody else take what was let go before the next start, that one fails as it would have without.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

BALLAST_BYTES: Final = 4 * 2**20


def let_go(state: Path) -> None:
    """Free the room, for what is to be written now."""
    with suppress(OSError):
        _place(state).unlink(missing_ok=True)


def keep(state: Path) -> None:
    """Take the room, where it is not taken already. Whoever calls has seen that there is enough."""
    place = _place(state)
    if place.exists():
        return
    with suppress(OSError):
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, BALLAST_BYTES)
        except OSError:
            place.unlink(missing_ok=True)
        finally:
            os.close(fd)


def _place(state: Path) -> Path:
    return state / "ballast"
