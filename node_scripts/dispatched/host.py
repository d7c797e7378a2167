"""The process that attends to one attempt on a machine without an agent, from its order to its end.

It is detached from whoever started it: a connection that breaks is no concern of it. It may be started again at any
time. The lock on `host` lets one work; that one asks the runner what became of the attempt, as an agent does after its
own restart, and goes on from there. What it must not lose is in files before it goes on:

    order.json stands     nothing was launched: prepare and launch
    the room's keeper     launched: adopt it; without a keeper and without its exit, the machine lost it (a restart)
    results, then end.json     ended; nobody attends to it again
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from node_scripts.dispatched.places import OrderPlace, Places, Site, State
from node_scripts.running.interface import AttemptEnded, Ended, Recovered, Refused, RunningAttempt
from node_scripts.running.rooms import FolderLock, is_locked, write_record
from node_scripts.running.sandbox import SandboxRunner
from wire.messages import Cause, Order
from wire.refusals import Refusal, words_for

_LOOK_S: Final = 0.1
_LOST: Final = Ended(
    Cause.NODE_LOST, "the machine was restarted while it ran, and nothing was left of it", node_fell=True
)
_CANCELLED: Final = Ended(Cause.CANCELLED, "cancelled before it was started")


def start(places: Places, place: OrderPlace, kit: Path) -> None:
    """Have somebody attend to this order; nothing if somebody does, or if it has ended."""
    if place.end.exists() or is_locked(place.host):
        return
    command = [sys.executable, "-I", str(kit), str(places.root), "host", place.key]
    if os.geteuid() == 0 and Path("/run/systemd/system").is_dir() and shutil.which("systemd-run"):
        # A unit of its own: what a login started would be ended with it where logind is told so.
        unit = f"skerry-{place.key.replace('.', '-').lower()}-{secrets.token_hex(3)}"
        properties = ("KillMode=process", "TasksMax=infinity", "LimitNOFILE=65536", "OOMPolicy=continue")
        options = [option for one in properties for option in ("-p", one)]
        done = subprocess.run(
            ["systemd-run", "--quiet", "--collect", f"--unit={unit}", *options, "--", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            return
    with (place.folder / "host.log").open("ab") as log:
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", close_fds=True
        )


def attend(places: Places, key: str) -> None:
    """Attend to the attempt until its end is written down. At once if it has ended, or another attends to it."""
    place = places.order(key)
    if not place.folder.is_dir():
        return
    lock = FolderLock.try_take(place.host)
    if lock is None:
        return
    try:
        # Read under the lock: whoever sends an order anew holds it meanwhile.
        staged = place.staged()
        if staged is None or place.end.exists():
            return
        try:
            ended = asyncio.run(_Attending(places, place, staged.order, staged.slot).to_its_end())
        except Exception as error:
            ended = Ended(Cause.REJECTED, f"the machine could not run it: {error}")
        write_record(place.end, ended)
    finally:
        lock.close()


def refusals(places: Places) -> list[dict[str, str]]:
    """What the machine refuses for itself: looked at where it has refused an attempt, until it would not any more."""
    if not places.refused.exists():
        return []
    try:
        found = _runner(places).refusals(thorough=True)
    except (OSError, RuntimeError) as error:
        found = (Refused(Refusal.NO_SANDBOX, str(error)),)
    if not found:
        places.refused.unlink(missing_ok=True)
    return [{"kind": one.kind, "words": one.words} for one in found]


def _runner(places: Places) -> SandboxRunner:
    # The interpreter's real place: `-I` and the shipped file must not follow into apps' environments.
    return SandboxRunner(Site(places.state, places.share, Path(sys.executable)))


class _Attending:
    def __init__(self, places: Places, place: OrderPlace, order: Order, slot: int) -> None:
        self._places = places
        self._place = place
        self._order = order
        self._slot = slot
        self._runner = _runner(places)

    async def to_its_end(self) -> Ended:
        ended = await self._to_its_end()
        return self._judged(ended) if ended.cause is Cause.REJECTED else ended

    def _judged(self, ended: Ended) -> Ended:
        """A rejection, with what the machine refuses for itself where that is it."""
        found = self._runner.refusals(self._order, thorough=True)
        if not found:
            return ended
        with suppress(OSError):  # a full disk: then the readings say so
            self._places.refused.touch()
        kind, words = found[0].kind, words_for(found[0].kind, found[0].words)
        message = f"the machine {words}: {ended.message}"
        return Ended(ended.cause, message, ended.exit_code, log_lines=ended.log_lines, usage=ended.usage, refusal=kind)

    async def _to_its_end(self) -> Ended:
        found = self._runner.recover(self._order, self._slot)
        if found is Recovered.LOST:
            return _LOST
        try:
            running = await self._launch() if isinstance(found, Recovered) else found
        except AttemptEnded as end:
            return end.ended
        state = self._place.state
        if not state.exists() or isinstance(found, Recovered):
            self._place.tell(State("", time.time(), never_ran=running.never_ran))
        await self._wait(running)
        return await running.finish()

    async def _launch(self) -> RunningAttempt:
        def preparing(what: str, detail: str = "") -> None:
            with suppress(OSError):  # words are not worth an attempt
                self._place.tell(State(what, detail=detail))

        preparing("")
        task = asyncio.ensure_future(self._runner.prepare(self._order, self._slot, preparing))
        while not task.done():
            await asyncio.wait([task], timeout=_LOOK_S)
            if self._place.cancel.exists() and not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, AttemptEnded):
                    await task
                raise AttemptEnded(_CANCELLED)
        prepared = task.result()
        if self._place.cancel.exists():
            raise AttemptEnded(_CANCELLED)
        return await self._runner.launch(prepared)

    async def _wait(self, running: RunningAttempt) -> None:
        gone = asyncio.ensure_future(running.wait())
        cancelled = False
        while not gone.done():
            await asyncio.wait([gone], timeout=_LOOK_S)
            if not cancelled and self._place.cancel.exists():
                cancelled = True
                running.cancel()
        await gone
