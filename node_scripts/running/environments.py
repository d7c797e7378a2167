"""The cache: per app version its files, copied from the share, and its virtual environment, made once.

    cache/<version>.lock    held shared by everyone who uses the entry, alone by who builds or removes it
    cache/<version>/        `app` (the files), `env` (the virtual environment, if it has requirements)
    cache/<version>/entry.json   written last: without it the entry is a ruin, and is built again
    cache/bare-<hash>/      the virtual environment of every app without requirements
    cache/tools/            pip

An entry is built where it will stand, since a virtual environment cannot be moved (its scripts name their interpreter),
under the lock, and is there once its record is. An app's files are root's alone: each job gets them as an overlay or a
copy. Its environment belongs to root and a group of its version's own, which only jobs of that version are given.
Keepers inherit the shared lock, so what is in use is never removed, whichever agent works with the cache.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from node_scripts.running import files, installer, trees
from node_scripts.running.interface import Telling
from node_scripts.running.interpreter import Interpreter
from node_scripts.running.limits import MB
from node_scripts.running.removal import Remover
from node_scripts.running.rooms import FolderLock, Room, make_folder, plain_name, write_record
from node_scripts.running.share import Share
from node_scripts.running.threads import to_its_end
from node_scripts.running.users import User
from wire.messages import AppRef

_log = logging.getLogger(__name__)

BUILDING: Final = "building the environment"
"""The stage in which requirements are installed."""

_LOOK_AGAIN_S: Final = 0.02
_GROUPS: Final = 384
_GROUPS_ABOVE: Final = 200
"""Where the groups of app versions begin, above the user ids of the slots."""


class Entry(msgspec.Struct, frozen=True):
    """What `entry.json` says."""

    python: str
    size: int
    gid: int | None = None
    has_environment: bool = False
    app_is_closed: bool = False
    """The app's files are the agent's alone. An older agent left them open to the version's group."""


class Lease:
    """The use of one cached app version, until `close` and until every keeper that inherited `lock` is gone."""

    def __init__(self, app: Path, environment: Path, gid: int | None, lock: FolderLock) -> None:
        self.app = app
        self.environment = environment
        self.gid = gid
        self.lock = lock

    def close(self) -> None:
        self.lock.close()


class Environments:
    """The cache of one folder. Several agents may share it."""

    def __init__(
        self,
        folder: Path,
        share: Share,
        *,
        interpreter: Interpreter,
        uid_base: int,
        most_apps: int,
        most_mb: int,
        covered: tuple[Path, ...] | None,
    ) -> None:
        """`share` has the apps. `covered` is what builds must not see, or None without mounts."""
        self._folder = folder
        self._remover = Remover(folder)
        self._share = share
        self._interpreter = interpreter
        self._groups = uid_base + _GROUPS_ABOVE
        self._most_apps = most_apps
        self._most_bytes = most_mb * MB
        self._covered = covered
        make_folder(folder, 0o711)
        self._tools = folder / "tools"
        make_folder(self._tools, 0o755)
        self._bare = folder / f"bare-{hashlib.sha256(interpreter.identity.encode()).hexdigest()[:16]}"
        self._make_bare()

    async def acquire(
        self, app: AppRef, user: User | None, room: Room, slot: int, preparing: Telling, *, claim: int | None
    ) -> Lease:
        """The app's files and environment, built if need be, kept from removal by the lease. `claim`: see `install`.

        Raises `InstallFailed` for requirements that cannot be installed, OSError for the node's or share's troubles.
        """
        version = plain_name(app.version)
        said = False
        while True:
            lock = self._lock(version, shared=True)
            entry = self._whole(version, app) if lock is not None else None
            if lock is not None and entry is not None:
                os.utime(lock.fd)  # the order in which entries are removed
                environment = self._folder / version / "env" if entry.has_environment else self._bare
                return Lease(self._folder / version / "app", environment, entry.gid, lock)
            if lock is not None:
                lock.close()
                lock = self._lock(version, shared=False)
            if lock is not None:
                # The lock is let go before it is taken for use; whoever comes in between only makes us look again.
                try:
                    if self._whole(version, app) is None:
                        await self._build(app, user, room, lock, slot, preparing, claim)
                finally:
                    lock.close()
                continue
            if not said:
                said = True
                preparing("waiting for the environment, which is being built for another job")
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _build(
        self,
        app: AppRef,
        user: User | None,
        room: Room,
        lock: FolderLock,
        slot: int,
        preparing: Telling,
        claim: int | None,
    ) -> None:
        entry = self._folder / app.version
        began = time.monotonic()
        try:
            preparing("fetching the app")
            await to_its_end(self._make_room, entry)
            source = self._share.apps / app.version
            await to_its_end(files.copy_tree, source, entry / "app", reached=self._share.as_owner)
            gid = self._free_group(entry) if user is not None else None
            if app.requirements is not None:
                preparing(BUILDING)
                requirements = entry / "app" / files.inside(app.requirements)
                await to_its_end(_seal, entry / "app", gid)  # for pip to read them
                self._interpreter.make_environment(entry / "env")
                await installer.install(
                    requirements,
                    entry,
                    entry / "env",
                    pip=await asyncio.to_thread(installer.place_pip, self._tools),
                    interpreter=self._interpreter,
                    user=user.with_groups(*([gid] if gid is not None else [])) if user is not None else None,
                    covered=self._covered,
                    room=room,
                    lock=lock,
                    disk_mb=self._most_bytes // MB,
                    slot=slot,
                    claim=claim,
                    tell=functools.partial(preparing, BUILDING),
                )
                await to_its_end(trees.remove, entry / "build")
                await to_its_end(_seal, entry / "env", gid)
                await to_its_end(_close, entry / "app")
                room.log.write_text(f"[skerry] installed the requirements in {time.monotonic() - began:.1f} s\n")
            size = await asyncio.to_thread(trees.disk_bytes, [entry])
            record = Entry(self._interpreter.identity, size, gid, app.requirements is not None, app_is_closed=True)
            await asyncio.to_thread(write_record, entry / "entry.json", record)
        except BaseException:
            # A failed or cancelled build leaves nothing behind; one that died is found without its record.
            await asyncio.shield(asyncio.to_thread(self._remove, entry))
            raise
        await asyncio.to_thread(self._trim, app.version)

    def tidy(self) -> None:
        """Try again to remove what could not be removed. Slow; may run in any thread."""
        self._remover.try_again()

    def _remove(self, entry: Path) -> None:
        try:
            self._remover.remove(entry)
        except OSError as error:
            # Without its record it is a ruin: whoever needs this version next tries again to remove it.
            _log.warning("a cached app version cannot be removed: %s", error)

    def _make_room(self, entry: Path) -> None:
        (entry / "entry.json").unlink(missing_ok=True)
        self._remover.remove(entry)
        make_folder(entry, 0o711)

    def _make_bare(self) -> None:
        if self._bare.is_dir():
            return
        beside = self._folder / f".bare.{os.getpid()}"
        trees.remove(beside)
        self._interpreter.make_environment(beside)
        beside.chmod(0o755)
        for found in trees.walk(beside):
            if not found.is_symlink():
                Path(found.path).chmod(0o755 if found.is_dir() else 0o644)
        try:
            beside.rename(self._bare)
        except OSError:  # another agent with the same cache was first
            trees.remove(beside)
            if not self._bare.is_dir():
                raise

    def _whole(self, version: str, app: AppRef) -> Entry | None:
        try:
            entry = msgspec.json.decode((self._folder / version / "entry.json").read_bytes(), type=Entry)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        fits = entry.python == self._interpreter.identity or not entry.has_environment
        # An agent that was not root leaves files that a slot's user cannot read, and the other way round.
        fits = fits and (entry.gid is not None) == (os.geteuid() == 0) and entry.app_is_closed
        return entry if fits and entry.has_environment == (app.requirements is not None) else None

    def _lock(self, version: str, *, shared: bool) -> FolderLock | None:
        path = self._folder / f"{version}.lock"
        while True:
            lock = FolderLock.try_take(path, shared=shared)
            if lock is None or os.fstat(lock.fd).st_nlink > 0:
                return lock
            lock.close()  # `_trim` removed the file meanwhile: this lock is one on nothing

    def _free_group(self, entry: Path) -> int:
        """A group for this version, which from now on its folder has.

        Found from its name, so that agents with different caches rarely share one.
        """
        taken = set()
        for path in self._folder.iterdir():
            with suppress(OSError):
                taken.add(path.lstat().st_gid)
        start = int.from_bytes(hashlib.sha256(entry.name.encode()).digest()[:4])
        for step in range(_GROUPS):
            gid = self._groups + (start + step) % _GROUPS
            if gid not in taken:
                os.chown(entry, 0, gid)
                return gid
        raise OSError("the cache holds too many app versions for a group each")

    def _trim(self, newest: str) -> None:
        """Remove what was used longest ago until the rest is within bounds; never what is in use, nor the newest."""
        known: list[tuple[float, str, int]] = []
        for path in self._folder.glob("*/entry.json"):
            with suppress(OSError, msgspec.MsgspecError):
                entry = msgspec.json.decode(path.read_bytes(), type=Entry)
                version = path.parent.name
                known.append(((self._folder / f"{version}.lock").stat().st_mtime, version, entry.size))
        count, total = len(known), sum(size for _, _, size in known)
        for _, version, size in sorted(known):
            if count <= self._most_apps and total <= self._most_bytes:
                return
            if version == newest:
                continue
            lock = FolderLock.try_take(self._folder / f"{version}.lock")
            if lock is None:
                continue
            (self._folder / version / "entry.json").unlink(missing_ok=True)
            self._remove(self._folder / version)
            (self._folder / f"{version}.lock").unlink(missing_ok=True)
            lock.close()
            count, total = count - 1, total - size


def _seal(top: Path, gid: int | None) -> None:
    """Root's and the version's group's, who may read; nobody may write. Nothing for an agent that is not root.

    Links are not followed, and set-user-id bits go: what stands in `env` was written by a stranger's code.
    """
    if gid is not None:
        _give(top, gid, folders=0o750, programs=0o750, others=0o640)


def _close(top: Path) -> None:
    """Root's alone again: a job gets an overlay or a copy. Nothing for an agent that is not root."""
    if os.geteuid() == 0:
        _give(top, 0, folders=0o700, programs=0o700, others=0o600)


def _give(top: Path, gid: int, *, folders: int, programs: int, others: int) -> None:
    os.chown(top, 0, gid)
    top.chmod(folders)
    for found in trees.walk(top):
        mode = found.stat(follow_symlinks=False).st_mode
        os.lchown(found.path, 0, gid)
        if not stat.S_ISLNK(mode):
            wanted = folders if stat.S_ISDIR(mode) else programs if mode & 0o100 else others
            os.chmod(found.path, wanted)  # noqa: PTH101  pathlib is too dear for many thousands of files
