"""Every attempt this node holds, from its claim to the confirm of its end.

An attempt is claimed (in the journal, on disk), waits for a slot, is prepared, launched, followed while it runs, and
finished (`node_scripts.execution`); its slot is free then. Its end is journalled before anybody is told, and it is held
until the broker has confirmed that. Whatever dies on the way, the journal and the attempt's folder say where to go on.
Where the journal cannot be written for some seconds, a full disk for one, the end is told without: should the agent die
then, the attempt may be gone through once more, of which the scheduler, who has its end, takes nothing.

The broker's confirm is not the scheduler's: a queue may be purged, a database restored from an older copy. So an order
that comes once more is never dropped in silence, but answered with how far its attempt has come. A death before that
answer is sent loses it; then the order comes again.

An error that nobody expected in the work for one attempt ends that attempt. Only where not even its end can be told is
the agent itself in trouble.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import itertools
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from node_scripts.ability import Ability
from node_scripts.discarding import Discarding
from node_scripts.execution import CANCELLED, Execution
from node_scripts.held import Held
from node_scripts.journal import Journal, JournalError, JournalledAttempt, Key
from node_scripts.logtail import LogFollower
from node_scripts.outbox import Outbox
from node_scripts.recovery import find_all
from node_scripts.running.interface import Ended, Recovered, Runner, RunningAttempt
from node_scripts.slots import Slots
from wire.messages import Cause, Claimed, Finished, HeldAttempt, Order, Started
from wire.refusals import words_for

_log = logging.getLogger(__name__)

_CANCELS_REMEMBERED: Final = 1000
_JOURNAL_PAUSE_S: Final = 1.0
_JOURNAL_TRIES: Final = 3
_STOP_S: Final = 3.0
_TIDY_AGAIN_S: Final = 30.0
_TIDY_EVERY_S: Final = 3600.0
_GONE: Final = "it is gone: it ended here before, and the node no longer knows how"


class Attempts:
    """The held attempts and the slots they run in."""

    def __init__(
        self,
        *,
        slots: int,
        runner: Runner,
        journal: Journal,
        outbox: Outbox,
        now: Callable[[], float],
        on_failure: Callable[[BaseException], None],
        ability: Ability,
    ) -> None:
        """`on_failure` is told of an error that nothing here can put right; a restart of the agent may."""
        self._runner = runner
        self._journal = journal
        self._outbox = outbox
        self._now = now
        self._on_failure = on_failure
        self._slots = Slots(slots)
        self._held: dict[Key, Held] = {}
        self._waiting: collections.deque[Held] = collections.deque()
        self._early_cancels: collections.OrderedDict[Key, None] = collections.OrderedDict()
        self._discarding = Discarding(runner, journal, on_failure)
        self._follower = LogFollower()
        self._ability = ability
        self._execution = Execution(runner, journal, outbox, self._follower, now, ability)

    def held(self) -> tuple[HeldAttempt, ...]:
        """What a heartbeat lists: every attempt whose end the broker has not confirmed."""
        return tuple(HeldAttempt(job, attempt) for job, attempt in self._held)

    def recover(self, journalled: Sequence[JournalledAttempt]) -> None:
        """Go on with what an earlier process held. Called once, before any `claim`."""
        for record, found in find_all(self._runner, journalled):
            self._resume(record, found)
        self._runner.clear([record.order for record in journalled])
        self._fill_slots()

    def _resume(self, record: JournalledAttempt, found: RunningAttempt | Recovered) -> None:
        held = Held(record.order, record.claimed_at)
        self._held[held.key] = held
        what = found.value if isinstance(found, Recovered) else "launched"
        _log.info("found an attempt of an earlier start (%s)", what, extra=held.fields())
        self._outbox.put(Claimed(*held.key, record.claimed_at))
        if not isinstance(found, Recovered):
            started_at = self._now() if record.started_at is None else record.started_at
            self._execution.adopt(held, found, started_at, record.lines_confirmed)
        if record.finished is not None:
            held.finished = record.finished
            if held.running is not None:
                held.running.cancel()  # its end stands, so nothing of it may go on
            self._begin(held, self._hand_over(held))
        elif found is Recovered.LOST:
            text = "the node was restarted while it ran, and nothing was left of it"
            ended = Ended(Cause.NODE_LOST, text, log_lines=record.lines_confirmed, node_fell=True)
            self._begin(held, self._conclude(held, ended))
        elif found is Recovered.NOT_LAUNCHED or record.slot is None:
            # Its slot may now become another's, which the journal must not say of both.
            self._journal.note_slot(held.key, None)
            self._waiting.append(held)
        else:
            self._slots.occupy(record.slot)
            held.slot = record.slot
            self._begin(held, self._live(held))

    async def claim(self, orders: Sequence[Order]) -> None:
        """Take orders; when this returns they are in the journal, on disk. Raises `JournalError`.

        An order that is held already or has ended runs nothing: it is answered with how far the attempt has come.
        Whoever sends it again has not heard of that, and would wait for ever.
        """
        at = self._now()
        claims = [(order, self._slots.take()) for order in orders]
        try:
            new = await self._journal.hold(claims, at)
        except BaseException:
            for _, slot in claims:
                self._slots.give_back(slot)
            raise
        over = []
        for (order, slot), is_new in zip(claims, new, strict=True):
            if not is_new:
                self._slots.give_back(slot)
                if (known := self._held.get((order.job, order.attempt))) is None:
                    over.append((order.job, order.attempt))
                else:
                    self._tell_again(known)
                continue
            held = Held(order, at, slot)
            self._held[held.key] = held
            self._outbox.put(Claimed(*held.key, at))
            if held.key in self._early_cancels:
                del self._early_cancels[held.key]
                held.cancel_wanted = True
            if slot is not None:
                self._begin(held, self._live(held))
            elif held.cancel_wanted:
                self._begin(held, self._conclude(held, CANCELLED))
            else:
                self._waiting.append(held)
        self._fill_slots()
        if over:
            await self._tell_ends(over)

    async def refuse(self, orders: Sequence[Order], kind: str, words: str) -> None:
        """Refuse orders that cannot be journalled; when this returns the broker has that safe.

        Those that are held already go on. One that comes again all the same, after a death, is taken for new: its
        outcome counts no more, and the scheduler has it cancelled.
        """
        self._ability.note(kind, words)
        told = []
        for order in orders:
            if (known := self._held.get((order.job, order.attempt))) is not None:
                self._tell_again(known)
                continue
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            message = f"the node {words_for(kind, words)}"
            end = Finished(order.job, order.attempt, self._now(), Cause.REJECTED, message, refusal=kind)
            self._outbox.put(end, functools.partial(done.set_result, None))
            told.append(done)
        await asyncio.gather(*told)

    def _tell_again(self, held: Held) -> None:
        """How far a held attempt has come. Its end, where that is on its way, says it all."""
        if held.told:
            return
        self._outbox.put(Claimed(*held.key, held.claimed_at))
        if held.started_at is not None:
            self._outbox.put(Started(*held.key, held.started_at))

    async def _tell_ends(self, keys: Sequence[Key]) -> None:
        """How attempts ended whose end was told before: as the journal kept it, or that it is gone."""
        try:
            ends = await self._journal.ends(keys)
        except JournalError:
            return  # logged there; whoever waits for the answer sends the order again
        for key, kept in zip(keys, ends, strict=True):
            _log.info(
                "an order for an attempt that is over is answered with its end",
                extra={"skerry.job": key[0], "skerry.attempt": key[1]},
            )
            self._outbox.put(kept or Finished(*key, at=self._now(), cause=Cause.NODE_LOST, message=_GONE))

    def cancel(self, job: str, attempt: int) -> None:
        """End this attempt wherever it stands; one that is not here yet ends when it comes. Idempotent."""
        held = self._held.get((job, attempt))
        if held is None:
            self._early_cancels[job, attempt] = None
            if len(self._early_cancels) > _CANCELS_REMEMBERED:
                self._early_cancels.popitem(last=False)
            return
        if held.cancel_wanted or held.finished is not None:
            return
        _log.info("cancelling an attempt", extra=held.fields())
        held.cancel_wanted = True
        if held.running is not None:
            held.running.cancel()
        elif held.task is None:
            self._begin(held, self._conclude(held, CANCELLED))
        elif held.preparing:
            held.task.cancel()
        # Otherwise its task is between two steps, and looks at `cancel_wanted` before the next.

    async def follow_logs(self) -> None:
        """Send log lines as they are written, until cancelled."""
        await self._follower.run()

    async def tidy(self) -> None:
        """Remove what was set aside and what belongs to nobody, until cancelled: at the start, soon after, then hourly.

        Soon after, since what ran yet at the start, unknown to the journal, has ended then.
        """
        for pause in itertools.chain((_TIDY_AGAIN_S,), itertools.repeat(_TIDY_EVERY_S)):
            try:
                await asyncio.to_thread(self._runner.tidy)
            except Exception:
                _log.exception("what was set aside cannot be tidied now")
            await asyncio.sleep(pause)
            self._clear()

    def _clear(self) -> None:
        kept = [held.order for held in (*self._held.values(), *self._discarding.under_way())]
        try:
            self._runner.clear(kept)
        except Exception:
            _log.exception("what belongs to no attempt cannot be cleared now")

    async def stop(self) -> None:
        """Let go of everything without ending it; the next start goes on with it."""
        self._execution.stopping = True
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for held in self._held.values():
            # A launch is a matter of milliseconds; half of one might leave an app that nobody watches.
            if held.task is not None and not held.launching:
                held.task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_S)

    async def discarded(self) -> None:
        """Return when what the broker has confirmed is out of the journal's hands."""
        await self._discarding.done()

    def _begin(self, held: Held, steps: Coroutine[Any, Any, None]) -> None:
        held.task = asyncio.create_task(self._guard(held, steps))
        held.task.add_done_callback(self._stepped)

    async def _guard(self, held: Held, steps: Coroutine[Any, Any, None]) -> None:
        """See the steps through; an error that they do not expect is the attempt's end, not the agent's."""
        try:
            await steps
        except Exception as error:
            _log.exception("an unexpected error ends an attempt", extra=held.fields())
            lines = 0
            if held.tail is not None:
                # What of the log was not sent is a gap: the end says how many lines there are.
                self._follower.remove(held.tail)
                lines, held.tail = held.tail.last_line, None
            if held.finished is None:
                text = f"an unexpected error on the node: {type(error).__name__}; the agent's log there says more"
                await self._conclude(held, Ended(Cause.REJECTED, text, log_lines=lines))
            else:
                await self._hand_over(held)

    def _stepped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    def _fill_slots(self) -> None:
        while self._waiting and not self._execution.stopping:
            if self._waiting[0].task is not None:  # it was cancelled while it waited
                self._waiting.popleft()
                continue
            slot = self._slots.take()
            if slot is None:
                return
            held = self._waiting.popleft()
            held.slot = slot
            held.slot_noted = self._journal.note_slot(held.key, slot)
            self._begin(held, self._live(held))

    async def _live(self, held: Held) -> None:
        """From its slot, or its adoption, to the end."""
        await self._conclude(held, await self._execution.run(held))

    async def _conclude(self, held: Held, ended: Ended) -> None:
        """Write down how it ended, give its slot to the next, then tell."""
        if held.tail is not None:
            held.tail.send_new()
        finished = Finished(
            *held.key,
            at=self._now(),
            cause=ended.cause,
            # A file's name that is no text may be in it.
            message=ended.message.encode("utf-8", "backslashreplace").decode(),
            exit_code=ended.exit_code,
            outputs=ended.outputs,
            # An end made up here, not by the runner, has counted nothing.
            log_lines=max(ended.log_lines, held.tail.last_line if held.tail is not None else 0),
            usage=ended.usage,
            refusal=ended.refusal,
            node_fell=ended.node_fell,
        )
        written = self._journal.finish(finished)
        held.finished = finished
        # The journal writes in this order: the end is there no later than that the next attempt has the slot.
        self._slots.give_back(held.slot)
        held.slot = None
        self._fill_slots()
        for _ in range(_JOURNAL_TRIES):
            try:
                await written
                break
            except JournalError:
                await asyncio.sleep(_JOURNAL_PAUSE_S)
                written = self._journal.finish(finished)
        await self._hand_over(held)

    async def _hand_over(self, held: Held) -> None:
        if held.tail is not None and held.running is not None:
            await held.running.wait()  # at once, but for an end that an earlier start of the agent wrote down
            self._follower.remove(held.tail)
            await held.tail.send_rest()
        if held.finished is not None:
            self._tell_end(held, held.finished)

    def _tell_end(self, held: Held, finished: Finished) -> None:
        if not held.told:
            held.told = True
            self._outbox.put(finished, functools.partial(self._on_confirmed, held))

    def _on_confirmed(self, held: Held) -> None:
        self._held.pop(held.key, None)
        self._discarding.add(held)
