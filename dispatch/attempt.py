"""One attempt on a machine without an agent, from the controller's side: sent, followed, fetched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dispatch.fetched import commit_fetched
from dispatch.following import UNKNOWN, Following
from dispatch.line import Line
from dispatch.plays import Played, Plays
from node_scripts.dispatched.places import Staged
from node_scripts.running import files, results
from node_scripts.running.interface import Ended, LiveLog, Telling
from node_scripts.running.logfile import LogReader, bound_of
from node_scripts.running.rooms import read_record, write_record
from node_scripts.running.share import Share
from webfront.plays.inventory import Typed
from wire.messages import Cause, Order

_log = logging.getLogger(__name__)

_PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
_TRIES_TO_SEND: Final = 3
"""Sendings in vain before the job goes elsewhere, where it is certain that nothing was started."""
CANCELLED: Final = Ended(Cause.CANCELLED, "cancelled before it was started")
_STARTING: Final = "Have the machine start it"
"""The task of `dispatch.yml` from which on the attempt may run."""
STEPS: Final = {
    "Put our keeper on the machine": "putting our keeper on the machine",
    "Ask the machine what it has already": "asking the machine what it has already",
    "Send the app's files": "sending the app's files",
    "Send the input": "sending the input",
    "Send the order": "sending the order",
    "Have the machine put it in place": "putting it in place",
    _STARTING: "starting it",
}
"""The tasks of `dispatch.yml` in the words of the job's page."""


class DispatchedAttempt:
    """See `node_scripts.running.interface.RunningAttempt`. `begin` has it sent and followed, in a task of its own."""

    def __init__(
        self,
        order: Order,
        folder: Path,
        *,
        line: Line,
        plays: Plays,
        share: Share,
        preparing: Telling,
        discard: Callable[[Order], None],
        refused: Callable[[str, str], None],
        may_run: bool = False,
    ) -> None:
        """`may_run`: an earlier process sent it, perhaps. `refused` is told what the machine refuses for itself."""
        self._order = order
        self._key = attempt_key(order)
        self._folder = folder
        self._line = line
        self._plays = plays
        self._share = share
        self._preparing = preparing
        self._discard = discard
        self._refused = refused
        self._following = Following(line, self._key, folder / "log", 2 * bound_of(order.log_mb).bytes, self._put_kit)
        self._log = LogReader(folder / "log")
        self._work: asyncio.Task[None] | None = None
        self._ended: Ended | None = read_record(folder / "ended.json", Ended)
        self._cancelled = False
        self._cancelling = asyncio.Event()
        self._may_run = may_run
        self._failure: BaseException | None = None

    @property
    def job(self) -> str:
        return self._order.job

    @property
    def attempt(self) -> int:
        return self._order.attempt

    @property
    def never_ran(self) -> bool:
        """See `RunningAttempt.never_ran`."""
        return self._following.never_ran

    def begin(self) -> None:
        """Send and follow."""
        if self._ended is None:
            self._work = asyncio.create_task(self._send_and_follow(), name=f"dispatch {self._key}")

    async def launched(self) -> None:
        """Return when the app was started, or the attempt is over. Tells on the way what is being prepared."""
        if self._work is None:
            return
        told = ("", "")
        while not self._work.done() and self._following.started_at is None:
            changed = asyncio.ensure_future(self._following.changed.wait())
            try:
                await asyncio.wait([self._work, changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            self._following.changed.clear()
            said = (self._following.what, self._following.detail)
            if said[0] and said != told:
                told = said
                self._preparing(*said)

    def ended_unlaunched(self) -> Ended | None:
        """How it ended without its app having been started; None if it was, or if its log is to be fetched."""
        ended = self._end()
        if ended is None or self._following.started_at is not None:
            return None
        return ended

    async def wait(self) -> None:
        """See `RunningAttempt.wait`."""
        if self._work is not None:
            # Several may wait, and whoever waits may be cancelled: the work goes on.
            await asyncio.wait([self._work])

    def cancel(self) -> None:
        """See `RunningAttempt.cancel`."""
        self._cancelled = True
        self._cancelling.set()
        self._following.cancel()

    def read_log(self, after: int, limit: int = 500) -> list[str]:
        """See `RunningAttempt.read_log`."""
        return self._log.read(after, limit, whole=self._work is None or self._work.done())

    def pass_over(self, after: int) -> bool:
        """See `RunningAttempt.pass_over`."""
        return self._log.pass_over(after)

    def dropped_after(self, number: int) -> int:
        """See `RunningAttempt.dropped_after`."""
        return self._log.dropped_after(number)

    def live_log(self) -> LiveLog | None:
        """See `RunningAttempt.live_log`."""
        return self._log.live()

    async def finish(self) -> Ended:
        """See `RunningAttempt.finish`. Raises OSError while the results cannot be had and a user has cancelled it."""
        if self._ended is not None:
            return self._ended
        ended = self._end()
        if ended is None:
            raise RuntimeError("the attempt has not ended") from self._failure
        if ended.cause is Cause.OK and ended.outputs:
            ended = await self._with_results(ended)
        await asyncio.to_thread(write_record, self._folder / "ended.json", ended)
        self._ended = ended
        return ended

    def discard(self) -> None:
        """See `RunningAttempt.discard`."""
        self._log.close()
        self._discard(self._order)

    def let_go(self) -> None:
        """Follow no longer."""
        if self._work is not None:
            self._work.cancel()
        self._log.close()

    async def end_soon(self, within_s: float) -> None:
        """Have it ended, and wait for that a while. Where the machine is out of reach, the next measuring ends it."""
        self.cancel()
        if self._may_run and self._work is not None:
            await asyncio.wait([self._work], timeout=within_s)

    def _end(self) -> Ended | None:
        ended = self._following.ended
        if ended is not None and ended.refusal:
            self._refused(ended.refusal, ended.message)
        return ended

    async def _send_and_follow(self) -> None:
        try:
            for _ in range(_TRIES_TO_SEND):
                await self._send()
                if self._following.ended is None:
                    await self._following.run()
                if self._following.ended is not UNKNOWN or self._following.started_at is not None:
                    return
                # Sent in vain: the play was cut off before the machine had the order.
                if self._cancelled:
                    self._following.ended = CANCELLED
                    return
                self._following.ended = None
            self._following.ended = UNKNOWN
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.exception("an attempt cannot be dispatched", extra={"skerry.job": self.job})
            self._failure = error
            self._following.ended = Ended(Cause.REJECTED, f"the platform could not dispatch it: {error}")

    async def _send(self) -> None:
        """Have the machine hold the order and attend to it, however often that has to be asked."""
        tries = 0
        while True:
            played = await self._stoppable(self._play("stage,run", self._tell))
            if played is None:
                if not self._may_run:
                    self._following.ended = CANCELLED
                return  # else the machine is told by who follows
            if played.failure is None:
                return
            _log.warning("an attempt was not sent: %s", played.failure.message, extra={"skerry.job": self.job})
            if self._may_run and played.unreachable:
                return  # whether it runs, the machine says when it is back
            tries += 1
            if not played.unreachable or tries >= _TRIES_TO_SEND:
                advice = f" {played.failure.advice}" if played.failure.advice else ""
                self._following.ended = Ended(Cause.REJECTED, f"{played.failure.message.rstrip('.')}.{advice}")
                return
            await asyncio.sleep(_PAUSES_S[tries - 1])

    def _tell(self, step: str) -> None:
        if step == _STARTING:
            self._may_run = True
        if (words := STEPS.get(step)) is not None:
            self._preparing(words)

    async def _stoppable(self, playing: Any) -> Played | None:
        """What the play came to; None when it was stopped because the attempt is cancelled."""
        play = asyncio.ensure_future(playing)
        cancelling = asyncio.ensure_future(self._cancelling.wait())
        try:
            await asyncio.wait([play, cancelling], return_when=asyncio.FIRST_COMPLETED)
            if play.done():
                played: Played = play.result()
                return played
            play.cancel()
            await asyncio.wait([play])
            return None
        finally:
            cancelling.cancel()
            play.cancel()

    async def _play(self, tags: str, tell: Callable[[str], None]) -> Played:
        staged = read_record(self._folder / "order.json", Staged)
        if staged is None:
            raise FileNotFoundError(f"{self._folder / 'order.json'} is gone")
        version = self._order.app.version
        given = self._order.input
        variables = {
            "dispatch_key": self._key,
            "dispatch_serial": staged.serial,
            "dispatch_version": version,
            "dispatch_order": str(self._folder / "order.json"),
            "dispatch_archive": str(self._folder / f"{version}.tar"),
            "dispatch_input": Typed(self._share.folder / files.inside(given)) if given is not None else "",
            "dispatch_into": str(self._folder / "out"),
        }
        return await self._plays.dispatch(self._line.node, tags, variables, tell)

    async def _put_kit(self) -> None:
        await self._play("kit", lambda step: None)

    async def _with_results(self, ended: Ended) -> Ended:
        """The results fetched, checked against what the machine said of them, and committed to the share."""
        folder = self._share.results / self._order.job
        tries = 0
        # What has come over already, whole, is not fetched again.
        while not (folder / str(self._order.attempt)).is_dir():
            played = await self._play("fetch", lambda step: None)
            if played.failure is None:
                break
            _log.warning("results cannot be fetched: %s", played.failure.message, extra={"skerry.job": self.job})
            if not played.unreachable:
                tries += 1
                if tries >= len(_PAUSES_S):
                    words = f"its results could not be fetched: {played.failure.message}"
                    return Ended(Cause.REJECTED, words, log_lines=ended.log_lines, usage=ended.usage)
            if self._cancelled:
                raise OSError("the machine is out of reach")
            await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
        try:
            committed = await asyncio.to_thread(
                commit_fetched, self._order, ended.outputs, self._folder / "out", self._share
            )
        except (results.ResultsRefused, files.UnsafePath, FileNotFoundError) as refused:
            words = f"its results did not come over whole: {refused}"
            return Ended(Cause.REJECTED, words, log_lines=ended.log_lines, usage=ended.usage)
        return Ended(ended.cause, ended.message, ended.exit_code, committed, ended.log_lines, ended.usage)


def attempt_key(order: Order) -> str:
    """What an attempt is called in the names of folders."""
    return f"{order.job}.{order.attempt}"
