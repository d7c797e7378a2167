"""The room where an attempt runs: what the agent's core calls to prepare, launch, adopt and finish attempts.

The app starts in `work`, a folder of its own that holds its version's files: real folders with real files, which it may
change, as it may write beside them; the next job finds them as they were uploaded. `work` is an overlay over the cached
version where this machine can make one (0.4 ms), and else a copy. Its input is a copy, its output folder is empty. HOME
is `work`, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from node_scripts.running import app_process, ballast, files, keeper, limits, overlay, soundness, trees, view
from node_scripts.running.app_process import Command
from node_scripts.running.attempt import SandboxAttempt, job_variables
from node_scripts.running.environments import Environments, Lease
from node_scripts.running.installer import InstallFailed
from node_scripts.running.interface import (
    AttemptEnded,
    Ended,
    Prepared,
    Recovered,
    Refused,
    RunningAttempt,
    Telling,
)
from node_scripts.running.interpreter import Interpreter, clean_environment
from node_scripts.running.keeper import KeeperHandle
from node_scripts.running.logfile import bound_of
from node_scripts.running.processes import end_strays
from node_scripts.running.removal import Remover
from node_scripts.running.rooms import Exit, FolderLock, Room, is_locked, make_folder, write_record
from node_scripts.running.share import Share
from node_scripts.running.threads import to_its_end
from node_scripts.running.users import SlotUsers, User, unreachable_part
from wire.messages import Cause, Order
from wire.refusals import Refusal

_log = logging.getLogger(__name__)

_LITTLE: Final = 2**20
_KEEPER_ENDS_S: Final = 20.0
"""A keeper that is told to end takes 15 s at most for its app's processes."""


class SandboxSettings(Protocol):
    """What a `SandboxRunner` reads of the agent's settings."""

    @property
    def state_dir(self) -> Path: ...
    @property
    def share_dir(self) -> Path: ...
    @property
    def slots(self) -> int: ...
    @property
    def uid_base(self) -> int: ...
    @property
    def cache_apps(self) -> int: ...
    @property
    def cache_mb(self) -> int: ...
    @property
    def python(self) -> Path: ...


class SandboxUnusable(RuntimeError):
    """This node cannot run apps as it is set up; the message says what to change."""


class _Prepared(Prepared):
    def __init__(
        self, order: Order, slot: int, room: Room, user: User | None, lease: Lease | None, given_bytes: int = 0
    ) -> None:
        self.order = order
        self.slot = slot
        self.room = room
        self.user = user
        self.lease = lease
        """None when the attempt is over already and only its log and end are to be fetched."""
        self.given_bytes = given_bytes
        """What the copy of the app's files takes in `work`; none where they are below an overlay."""


class SandboxRunner:
    """Runs attempts on this machine. One for each state folder; the caller sees to that."""

    def __init__(self, settings: SandboxSettings) -> None:
        """Asks the interpreter, makes the folders, tries which walls this machine has. Raises `SandboxUnusable`."""
        ballast.let_go(settings.state_dir)
        self._share = Share(settings.share_dir)
        self._state = settings.state_dir
        self._slots = settings.slots
        self._attempts = settings.state_dir / "attempts"
        make_folder(self._attempts, 0o711)
        self._remover = Remover(self._attempts)
        self._users = SlotUsers(uid_base=settings.uid_base, slots=settings.slots, owner=settings.state_dir.resolve())
        self._interpreter = Interpreter.ask(settings.python)
        self._cache = cache = settings.state_dir / "cache"
        kept = (self._attempts, cache, self._interpreter.prefix)
        self._covered = self._walls((settings.state_dir, settings.share_dir, cache), kept)
        self._probed = User(settings.uid_base, settings.uid_base)
        self._overlay = overlay.usable_options(self._attempts, self._probed) if self._covered is not None else None
        self._owners: dict[int, int] = {}
        words = "overlays" if self._overlay is not None else "copies: this machine cannot make overlays here"
        _log.info("apps are given their files as %s", words)
        if not app_process.filters_calls():
            _log.warning("this kernel or processor has no filter of calls: apps can hold memory that is not counted")
        if self._covered is None:
            _log.warning("the agent has no right to mount: what apps leave in /dev/shm stays, and is not counted")
        self._environments = Environments(
            cache,
            self._share,
            interpreter=self._interpreter,
            uid_base=settings.uid_base,
            most_apps=settings.cache_apps,
            most_mb=settings.cache_mb,
            covered=self._covered,
        )

    async def prepare(self, order: Order, slot: int, preparing: Telling) -> Prepared:
        """See `Runner.prepare`."""
        room = self._room(order)
        lease: Lease | None = None
        try:
            user = self._users.ready(slot) or await to_its_end(self._users.take, slot)
            if room.folder.exists():
                preparing("removing what an earlier start left")
                await self._end_keeper(room)
                await to_its_end(room.remove)
            room.make(user)
            claim = self._users.claim_fd(slot)
            lease = await self._environments.acquire(order.app, user, room, slot, preparing, claim=claim)
            if order.input is not None:
                preparing("fetching the input")
                await to_its_end(self._fetch_input, order.input, room, user)
            given_bytes = 0
            if self._overlay is None:
                preparing("copying the app's files")
                await to_its_end(files.copy_tree, lease.app, room.work, user)
                given_bytes = await to_its_end(trees.disk_bytes, [room.work])
        except InstallFailed as failure:
            if failure.cause is not Cause.APP_ERROR:
                raise AttemptEnded(Ended(failure.cause, failure.message)) from failure
            # The log says what failed, and only an attempt that was launched has its log fetched: so this one is
            # "launched" in its end.
            write_record(room.exit, Exit(failure.cause, failure.message))
            return _Prepared(order, slot, room, None, None)
        except (OSError, ValueError, RuntimeError) as error:
            if lease is not None:
                lease.close()
            raise AttemptEnded(Ended(Cause.REJECTED, f"the node could not prepare it: {_words(error)}")) from error
        except BaseException:
            if lease is not None:
                lease.close()
            raise
        return _Prepared(order, slot, room, user, lease, given_bytes)

    async def launch(self, prepared: Prepared) -> RunningAttempt:
        """See `Runner.launch`."""
        if not isinstance(prepared, _Prepared):
            raise TypeError("not prepared by this runner")
        order, room, lease = prepared.order, prepared.room, prepared.lease
        if lease is None:
            return SandboxAttempt(order, room, self._share, handle=None, users=self._users)
        lock = FolderLock.try_take(room.keeper)
        if lock is None:
            raise AttemptEnded(Ended(Cause.REJECTED, "another process holds the attempt's folder"))
        claim = self._users.claim_fd(prepared.slot)
        try:
            command = self._command(prepared, lease)
            handle = keeper.start(
                command,
                keeper.Post(
                    record=room.keeper,
                    exit=room.exit,
                    log=room.log,
                    live=room.live,
                    lock=lock.fd,
                    # What makes the version's files the user's own in its overlay is used in the keeper's child.
                    held=(lease.lock.fd, *([claim] if claim is not None else []), *self._owners.values()),
                ),
            )
        except OSError as error:
            raise AttemptEnded(Ended(Cause.REJECTED, f"the node could not start a process: {_words(error)}")) from error
        finally:
            lock.close()
            lease.close()
        return SandboxAttempt(order, room, self._share, handle=handle, users=self._users)

    def recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        """See `Runner.recover`."""
        try:
            return self._recover(order, slot)
        except Exception:
            # Given up, so it must not run on: its slot becomes another's. When the app goes, its keeper ends the rest.
            fields = {"skerry.job": order.job, "skerry.attempt": order.attempt}
            _log.exception("an attempt cannot be recovered; what still runs of it is ended", extra=fields)
            end_strays(job_variables(order))
            return Recovered.LOST

    def _recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        room = self._room(order)
        if (handle := _keeper_of(room)) is not None:
            return SandboxAttempt(order, room, self._share, handle=handle, users=self._users)
        if (owner := room.app_user()) is not None:
            self._users.end_left(owner)
        if room.exit.exists() or room.ended.exists():
            return SandboxAttempt(order, room, self._share, handle=None, users=self._users)
        # Where the folder was taken away, its app may still run.
        end_strays(job_variables(order))
        return Recovered.NOT_LAUNCHED if room.keeper_pid() is None else Recovered.LOST

    def forget(self, order: Order) -> None:
        """See `Runner.forget`."""
        self._room(order).remove()

    def clear(self, held: Iterable[Order]) -> None:
        """See `Runner.clear`."""
        kept = set()
        for order in held:
            with suppress(ValueError):  # a name that cannot be a folder's
                kept.add(self._room(order).folder.name)
        for folder in list(self._attempts.iterdir()):
            if folder.name in kept or folder.name.startswith("."):
                continue
            try:
                if (handle := _keeper_of(Room.at(folder))) is not None:
                    # Nobody asks for its end any more. It takes its app along, and the folder goes with a later call.
                    _log.warning("%s belongs to no attempt that is held, and runs yet; it is ended", folder)
                    handle.cancel()
                    handle.close()
                    continue
                aside = self._remover.set_aside(folder)
                _log.info("%s belongs to no attempt that is held; set aside as %s", folder, aside)
            except (OSError, OverflowError) as error:  # a record may hold any number
                _log.warning("%s belongs to no attempt that is held, and cannot be set aside: %s", folder, error)

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        """See `Runner.refusals`."""
        folders = (self._state, self._attempts, self._cache)
        used = 0 if besides is None else self._used(besides)
        looks: list[Callable[[], Refused | None]] = [
            lambda: soundness.space(folders, used),
            lambda: soundness.share_usable(self._share),
            self._users_free,
        ]
        if thorough:
            # What an attempt has taken up may be what keeps an overlay from being tried.
            overlays = self._attempts if self._overlay is not None and not used else None
            looks.append(lambda: soundness.sandbox(self._covered is not None, overlays, self._probed))
        found = soundness.first(*looks)
        if not found and besides is None:
            ballast.keep(self._state)
        return found

    def _used(self, order: Order) -> int:
        """The bytes that stand of an attempt; 0 where that is but its folders."""
        try:
            used = trees.disk_bytes([self._room(order).folder])
        except (OSError, ValueError):
            return 0
        return used if used > _LITTLE else 0

    def _users_free(self) -> Refused | None:
        try:
            short = next((slot for slot in range(self._slots) if not self._users.has_one(slot)), None)
        except OSError as error:
            return Refused(Refusal.NO_USER, _words(error))
        if short is None:
            return None
        return Refused(Refusal.NO_USER, f"none is free for slot {short}, or what runs under them does not end")

    def tidy(self) -> None:
        """See `Runner.tidy`."""
        self._remover.try_again()
        self._environments.tidy()

    def close(self) -> None:
        """Give back what is held machine-wide. Attempts run on."""
        self._users.close()
        for owner in self._owners.values():
            os.close(owner)
        self._owners.clear()

    def _room(self, order: Order) -> Room:
        return Room(self._attempts, order.job, order.attempt)

    def _owner(self, user: User) -> int:
        """The user namespace that makes the files of an overlay this user's; made once for each."""
        if user.uid not in self._owners:
            self._owners[user.uid] = overlay.owner_namespace(user)
        return self._owners[user.uid]

    def _walls(self, secret: tuple[Path, ...], kept: tuple[Path, ...]) -> tuple[Path, ...] | None:
        if os.geteuid() != 0:
            return None
        if view.available():
            return view.plan_covers(secret, kept)
        for path in kept:
            obstacle = unreachable_part(path.resolve())
            if obstacle is not None:
                raise SandboxUnusable(
                    f"the users that apps run as cannot reach {path}: {obstacle} lets nobody else pass. Allow it with "
                    f"chmod o+x {obstacle}, or give the agent the right to mount (CAP_SYS_ADMIN)"
                )
        return None

    async def _end_keeper(self, room: Room) -> None:
        """End a keeper of an earlier life of this very attempt: its records would be taken for those of the new one."""
        if (handle := _keeper_of(room)) is None:
            return
        handle.cancel()
        try:
            await asyncio.wait_for(handle.wait(), _KEEPER_ENDS_S)
        except TimeoutError as error:
            raise RuntimeError("an earlier start's process of this attempt does not end") from error

    def _fetch_input(self, name: str, room: Room, user: User | None) -> None:
        target = room.inputs / files.inside(name).name
        with files.opened(self._share.folder, name, self._share.as_owner) as fd:
            files.copy(fd, target, mode=0o640)
        if user is not None:
            os.chown(target, 0, user.gid)

    def _command(self, prepared: _Prepared, lease: Lease) -> Command:
        order, room, user = prepared.order, prepared.room, prepared.user
        argv = [str(lease.environment / "bin" / "python"), order.app.entrypoint]
        if order.input is not None:
            argv += ["--input", str(room.inputs / Path(order.input).name)]
        argv += ["--output", str(room.outputs)]
        for name, value in order.parameters.items():
            argv += [f"--{name}", value]
        seen = None
        if self._covered is not None:
            layers = None
            if self._overlay is not None and user is not None:
                owner = self._owner(user)
                layers = overlay.Layers(lease.app, room.upper, room.scratch, room.work, owner, self._overlay)
            readable = (lease.environment, room.inputs, self._interpreter.prefix)
            writable = (room.work, room.outputs, room.temporary)
            memory_mb = order.resources.memory_mb
            seen = view.View(self._covered, readable, writable, room.temporary, memory_mb, layers)
        return Command(
            argv=tuple(argv),
            environment={
                **clean_environment(lease.environment, home=room.work, temporary=room.temporary),
                **limits.thread_variables(order.resources.cpus),
                **job_variables(order),
            },
            directory=room.work,
            resources=order.resources,
            user=user.with_groups(lease.gid) if user is not None and lease.gid is not None else user,
            view=seen,
            measured=(room.work, room.layers, room.outputs, room.temporary),
            given_bytes=prepared.given_bytes,
            log_bound=bound_of(order.log_mb),
            spread=prepared.slot if user is None else user.uid,
        )


def _keeper_of(room: Room) -> KeeperHandle | None:
    """The keeper that lives in this room, of an earlier life of the agent. Raises OSError."""
    with suppress(ProcessLookupError):
        if is_locked(room.keeper):
            handle = KeeperHandle(room.wait_for_keeper_pid(), is_child=False)
            # Still locked now: the descriptor is this keeper's and no later process's of the same number.
            if is_locked(room.keeper):
                return handle
            handle.close()
    return None


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error)
