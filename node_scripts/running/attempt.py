"""A launched attempt, from the agent's side: the keeper that may still be at work, the log, the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from node_scripts.running import results
from node_scripts.running.interface import Ended, LiveLog
from node_scripts.running.keeper import KeeperHandle
from node_scripts.running.logfile import LogReader, count_lines
from node_scripts.running.processes import end_strays
from node_scripts.running.rooms import Exit, Room, read_record, write_record
from node_scripts.running.share import Share
from node_scripts.running.users import SlotUsers
from wire.messages import Cause, Order, OutputFile

_KILLED: Final = "the process that watched over the app was killed on the node"


class SandboxAttempt:
    """One launched attempt: a keeper that may still be at work, and the folder."""

    def __init__(
        self, order: Order, room: Room, share: Share, *, handle: KeeperHandle | None, users: SlotUsers
    ) -> None:
        self._order = order
        self._room = room
        self._share = share
        self._handle = handle
        self._users = users
        self._log = LogReader(room.log)

    @property
    def job(self) -> str:
        return self._order.job

    @property
    def attempt(self) -> int:
        return self._order.attempt

    @property
    def never_ran(self) -> bool:
        """See `RunningAttempt.never_ran`."""
        return self._handle is None and self._room.keeper_pid() is None

    async def wait(self) -> None:
        """See `RunningAttempt.wait`."""
        if self._handle is not None:
            await self._handle.wait()

    def cancel(self) -> None:
        """See `RunningAttempt.cancel`."""
        if self._handle is not None:
            self._handle.cancel()

    def read_log(self, after: int, limit: int = 500) -> list[str]:
        """See `RunningAttempt.read_log`."""
        return self._log.read(after, limit, whole=self._handle is None or self._handle.ended)

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
        """See `RunningAttempt.finish`. Raises OSError while the share cannot take the results: call it again."""
        return await asyncio.to_thread(self._finish)

    def discard(self) -> None:
        """See `RunningAttempt.discard`."""
        self._log.close()
        self._room.remove()

    def _finish(self) -> Ended:
        before = self._room.read_ended()
        if before is not None:
            return before
        owner = self._room.app_user()
        end = self._room.read_exit()
        was_seen = end is not None
        if end is None:
            # What it held of the log went with it: so many lines there were at least.
            glimpse = read_record(self._room.live, LiveLog)
            seen = glimpse.first + len(glimpse.lines) - 1 if glimpse is not None else 0
            end = Exit(Cause.NODE_LOST, _KILLED, log_lines=max(seen, count_lines(self._room.log)))
            # Without a keeper its app died by PDEATHSIG, but not what the app had started.
            if owner is not None:
                self._users.end_left(owner)
            end_strays(job_variables(self._order))
        if owner is not None and (not was_seen or end.left_running):
            self._users.doubt(owner)
        # The slot's user may be the next job's soon, also when what follows fails: nothing in here is for it.
        with suppress(FileNotFoundError):
            self._room.box.chmod(0o700)
        cause, message = end.cause, end.message
        outputs: tuple[OutputFile, ...] = ()
        if cause is Cause.OK:
            try:
                outputs = results.commit(
                    self._room.outputs,
                    self._order.app.outputs,
                    self._share.results / self._order.job,
                    self._order.attempt,
                    owner=owner,
                    limit_mb=self._order.resources.disk_mb,
                    reached=self._share.as_owner,
                    noted=self._room.stored,
                )
            except results.ResultsRefused as refused:
                cause, message = Cause.APP_ERROR, str(refused)
        lines = count_lines(self._room.log) if end.log_lines is None else end.log_lines
        ended = Ended(cause, message, end.exit_code, outputs, lines, end.usage)
        # Neither synced nor insisted upon (the app may have filled the disk): where it is missing, all this is made
        # again from the exit record and what stands on the share.
        with suppress(OSError):
            write_record(self._room.ended, ended, sync=False)
        return ended


def job_variables(order: Order) -> dict[str, str]:
    """The variables that tell the app, and us, which attempt a process belongs to."""
    return {"SKERRY_JOB": order.job, "SKERRY_ATTEMPT": str(order.attempt), "SKERRY_APP": order.app.name}
