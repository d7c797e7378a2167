"""Attempts on a machine without an agent, as the agent's core asks for them: `node_scripts.running.interface.Runner`.

    STATE/dispatch/NODE/attempts/JOB.N/
        order.json     written before anything is sent; the sending's serial is in it
        log            what the machine has told of the app's log
        out/           results on their way
        ended.json     how it ended, once its results stand on the share

Crash order. Nothing is sent before `order.json` stands, so whatever may run there is known here. After a death the
attempt is adopted and sent once more: the machine takes a second sending of the same serial for nothing, and tells how
far it is. Results are fetched into `out`, and committed to the share as an agent does it; the core tells the end only
after that. What the machine holds and nobody here knows, each measuring ends (`known`).
"""

from __future__ import annotations

import asyncio
import logging
import tarfile
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from dispatch.attempt import CANCELLED, DispatchedAttempt, attempt_key
from dispatch.line import Line
from dispatch.measuring import FarMachine
from dispatch.plays import Plays
from node_scripts.dispatched.places import Staged
from node_scripts.running import soundness, trees
from node_scripts.running.interface import (
    AttemptEnded,
    Ended,
    Prepared,
    Recovered,
    Refused,
    RunningAttempt,
    Telling,
)
from node_scripts.running.rooms import make_folder, read_record, write_record
from node_scripts.running.share import Share
from wire.messages import Cause, Order

_log = logging.getLogger(__name__)

_DISCARD_S: Final = 15.0
_ENDS_S: Final = 3.0


class _Prepared(Prepared):
    def __init__(self, attempt: DispatchedAttempt) -> None:
        self.attempt = attempt


class DispatchRunner:
    """Prepares, launches and recovers attempts on one machine. `folder` is the node's own on the controller."""

    def __init__(self, line: Line, plays: Plays, folder: Path, share_dir: Path, machine: FarMachine) -> None:
        self._line = line
        self._machine = machine
        self._plays = plays
        self._attempts = folder / "attempts"
        self._share = Share(share_dir)
        self._serial = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._live: weakref.WeakSet[DispatchedAttempt] = weakref.WeakSet()
        self.stopping = False
        """This process ends; what runs there is left running, and found again by the next."""
        make_folder(self._attempts, 0o700)
        # Before anything else: what an earlier process sent is wanted there until it is known not to be.
        self._known = {path.name for path in self._attempts.iterdir()}

    def known(self) -> tuple[int, tuple[str, ...]]:
        """Which attempts may be on the machine, of those that were sent before the serial that is returned."""
        return self._next_serial(), tuple(sorted(self._known))

    async def prepare(self, order: Order, slot: int, preparing: Telling) -> Prepared:
        """See `Runner.prepare`: send it, have it started, and wait until its app was."""
        self._loop = asyncio.get_running_loop()
        key = attempt_key(order)
        folder = self._attempts / key
        self._known.add(key)
        try:
            await asyncio.to_thread(self._begin, folder, Staged(order, slot, self._next_serial()))
        except OSError as error:
            raise AttemptEnded(Ended(Cause.REJECTED, f"the controller could not prepare it: {error}")) from error
        attempt = self._attempt(folder, order, preparing)
        attempt.begin()
        try:
            await attempt.launched()
        except asyncio.CancelledError:
            if not self.stopping:
                # Written first: whoever finds the attempt after a death here must not send it again.
                self._note_end(folder, CANCELLED)
                await attempt.end_soon(_ENDS_S)
            attempt.let_go()
            raise
        if (ended := attempt.ended_unlaunched()) is not None:
            self._note_end(folder, ended)
            attempt.let_go()
            raise AttemptEnded(ended)
        return _Prepared(attempt)

    async def launch(self, prepared: Prepared) -> RunningAttempt:
        """See `Runner.launch`. It runs already."""
        if not isinstance(prepared, _Prepared):
            raise TypeError("not prepared by this runner")
        return prepared.attempt

    def recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        """See `Runner.recover`."""
        self._loop = asyncio.get_running_loop()
        folder = self._attempts / attempt_key(order)
        staged = read_record(folder / "order.json", Staged)
        if staged is None:
            return Recovered.NOT_LAUNCHED
        self._known.add(folder.name)
        # It was perhaps started and perhaps not; sending it once more finds out.
        attempt = self._attempt(folder, order, lambda what, detail="": None, may_run=True)
        attempt.begin()
        return attempt

    def forget(self, order: Order) -> None:
        """See `Runner.forget`. Called from a thread."""
        key = attempt_key(order)
        folder = self._attempts / key
        # The record first: a death in the middle then reads as "never sent".
        (folder / "order.json").unlink(missing_ok=True)
        trees.remove(folder)
        self._known.discard(key)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._discard_there, key, self._next_serial())

    def clear(self, held: Iterable[Order]) -> None:
        """See `Runner.clear`. On the machine, the next measuring does it."""
        kept = {attempt_key(order) for order in held}
        for folder in list(self._attempts.iterdir()):
            if folder.name not in kept:
                self._known.discard(folder.name)
                with suppress(OSError):
                    trees.remove(folder)

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        """See `Runner.refusals`: of the controller's own disk and share, and of the machine what it has told last."""
        return soundness.first(
            lambda: soundness.space([self._attempts]),
            lambda: soundness.share_usable(self._share),
            self._machine.refusal,
        )

    def tidy(self) -> None:
        """See `Runner.tidy`. Nothing is set aside here."""

    def let_go(self) -> None:
        """Follow nothing any more. What runs there runs on."""
        for attempt in list(self._live):
            attempt.let_go()
        self._live.clear()

    def _note_end(self, folder: Path, ended: Ended) -> None:
        with suppress(OSError):
            write_record(folder / "ended.json", ended)

    def _attempt(self, folder: Path, order: Order, preparing: Telling, *, may_run: bool = False) -> DispatchedAttempt:
        attempt = DispatchedAttempt(
            order,
            folder,
            line=self._line,
            plays=self._plays,
            share=self._share,
            preparing=preparing,
            discard=self.forget,
            refused=self._machine.refused,
            may_run=may_run,
        )
        self._live.add(attempt)
        return attempt

    def _begin(self, folder: Path, staged: Staged) -> None:
        """What is sent, as files; the record last."""
        trees.remove(folder)
        make_folder(folder, 0o700)
        version = staged.order.app.version
        source = self._share.apps / version
        with tarfile.open(folder / f"{version}.tar", "w") as archive:
            for child in sorted(source.iterdir()):
                archive.add(child, arcname=child.name, filter=_plain)
        write_record(folder / "order.json", staged)

    def _discard_there(self, key: str, serial: int) -> None:
        """Take it off the machine now, if it can be reached; else the next measuring does it."""
        task = asyncio.get_running_loop().create_task(
            self._line.call("discard", key, str(serial), within_s=_DISCARD_S), name=f"discard {key}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._discarded)

    def _discarded(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("an attempt cannot be taken off its machine now: %s", error)

    def _next_serial(self) -> int:
        """Grows with each call, and over restarts with the clock."""
        self._serial = max(self._serial + 1, time.time_ns() // 1000)
        return self._serial


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Folders and files, nobody's in particular."""
    if not (member.isdir() or member.isreg()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
