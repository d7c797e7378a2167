"""Looks at what a machine needs to run attempts at all: space, the share, a sandbox.

Each says what is wrong, or nothing. They ask of the machine alone, never of an app: what is wrong here would be wrong
for every attempt.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from node_scripts.running import overlay, view
from node_scripts.running.interface import Refused
from node_scripts.running.limits import MB
from node_scripts.running.rooms import make_folder
from node_scripts.running.share import Share
from node_scripts.running.users import User
from wire.refusals import Refusal

LEAST_FREE_MB: Final = 16
"""A disk with less is full: the log of one attempt may take as much."""

_LEAST_INODES: Final = 100
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def space(folders: Iterable[Path], besides: int = 0) -> Refused | None:
    """Whether the disks of these folders have room, and take it. `besides` are bytes that count as free."""
    looked_at = set()
    for folder in folders:
        try:
            device = folder.stat().st_dev
            if device in looked_at:
                continue
            looked_at.add(device)
            found = os.statvfs(folder)
            free = found.f_bavail * found.f_frsize + besides
            if free < LEAST_FREE_MB * MB:
                return Refused(Refusal.NO_SPACE, f"{free / MB:,.0f} MB are free below {folder}")
            if besides:
                continue  # what cannot be written now may be for what counts as gone
            if found.f_files and found.f_favail < _LEAST_INODES:
                return Refused(Refusal.NO_SPACE, f"{found.f_favail} more files fit below {folder}")
            _write(folder)
        except OSError as error:
            kind = Refusal.NO_SPACE if error.errno in _FULL else Refusal.NO_SANDBOX
            return Refused(kind, f"{folder}: {error.strerror or error}")
    return None


def share_usable(share: Share) -> Refused | None:
    """Whether apps can be read from the share and results written to it, as the attempts' work does both."""
    try:
        with share.as_owner():
            with os.scandir(share.apps) as entries:
                next(entries, None)
            make_folder(share.results, 0o750) if not share.results.is_dir() else None
            _write(share.results)
    except OSError as error:
        return Refused(Refusal.NO_SHARE, f"{error.filename or share.folder}: {error.strerror or error}")
    return None


def sandbox(covers: bool, overlays: Path | None, user: User) -> Refused | None:
    """Whether a process and the walls that this machine could make at the agent's start can be made now.

    `covers`: apps have a view of their own. `overlays`: the folder on whose disk their layers lie, where they have any.
    """
    try:
        if covers and not view.can_be_made():
            return Refused(Refusal.NO_SANDBOX, "its namespaces or mounts cannot be made")
        if overlays is not None and not (_makes_overlays(overlays, user) or _makes_overlays(overlays, user)):
            return Refused(Refusal.NO_SANDBOX, f"an overlay below {overlays} cannot be made")
        if not covers:
            _fork()
    except OSError as error:
        kind = Refusal.NO_SPACE if error.errno in _FULL else Refusal.NO_SANDBOX
        return Refused(kind, error.strerror or str(error))
    return None


def _makes_overlays(folder: Path, user: User) -> bool:
    """Tried once. What it tries with, another process that begins in this very moment takes for left over."""
    with suppress(FileNotFoundError):
        return overlay.usable_options(folder, user) is not None
    return False


def first(*looks: Callable[[], Refused | None]) -> tuple[Refused, ...]:
    """What the first look that finds something says: one reason is enough, and the next look finds the next."""
    for look in looks:
        if (found := look()) is not None:
            return (found,)
    return ()


def _write(folder: Path) -> None:
    path = folder / f".able-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        path.write_bytes(b"able\n")
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
