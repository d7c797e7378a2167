"""Inputs that schedules keep for their jobs: `inputs/schedules/<ULID>/<file name>` on the share.

Each is written before the row that names it is committed, and removed after that row is gone or names another. So a
crash leaves at most one that no row names, and `sweep_kept` removes it. Jobs get it as a link of their own: what they
were given stays, whatever becomes of the schedule.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Final

from webfront.database.models import Schedule
from webfront.jobs.identifiers import PATTERN, Ulids
from webfront.jobs.inputs import Input, SharedInput, put_input

_FOLDER: Final = "inputs/schedules"
_STALE_S: Final = 24 * 3600.0


def keep(share: Path, ulids: Ulids, name: str, given: Input) -> str:
    """Keep an input under this name. Returns its path, relative to the share."""
    folder = f"{_FOLDER}/{ulids.next()}"
    put_input(share / folder, name, given)
    return f"{folder}/{name}"


def kept(share: Path, relative: str | None) -> SharedInput | None:
    """The input at this path."""
    return None if relative is None else SharedInput(share, relative)


def drop(share: Path, relative: str | None) -> None:
    """Remove an input that no row names any more."""
    if relative is not None:
        shutil.rmtree((share / relative).parent, ignore_errors=True)


def sweep_kept(share: Path, now: float) -> int:
    """Remove inputs that no schedule names, a day old. Returns how many."""
    removed = 0
    for folder in (share / _FOLDER).glob("*"):
        with contextlib.suppress(OSError):
            if not PATTERN.fullmatch(folder.name.removeprefix(".")) or folder.stat().st_mtime > now - _STALE_S:
                continue
            named = Schedule.select().where(Schedule.input.startswith(f"{_FOLDER}/{folder.name}/"))
            if folder.name.startswith(".") or not named.exists():
                shutil.rmtree(folder)
                removed += 1
    return removed
