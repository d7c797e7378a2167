"""One turn of the scheduler: what came in, applied in one transaction; what is to go out, once it is committed.

Nothing here waits and nothing here speaks to the broker. If a turn's transaction comes to nothing, the mirrors in
memory are read again before the next one, and the same input may simply be given again.

No attempt waits for a message that is lost. An order that a living node has not claimed after a while is sent again,
and the node answers it with how far the attempt has come, its end included; unanswered after `MOST_RESENDS` it ends the
attempt, and so does one that the broker does not confirm for `UNTAKEN_S`. How often it was sent is in the attempt's
row, since a scheduler may live for less than one of these waits; it is counted with the broker's confirm, so that a
death before that sends it once more than counted. What a lost `Claimed` would have said, a heartbeat that lists the
attempt says as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Final

from webfront.changeable.values import Values
from webfront.database.connection import transaction
from webfront.database.rows import rows
from webfront.fleet.agentless import MISSES
from webfront.fleet.states import NodeState
from webfront.jobs.states import LIVE_JOBS, AttemptState
from webfront.scheduling.entries import Key, Live
from webfront.scheduling.events import Conclusion, EventBook, Unwanted
from webfront.scheduling.given import Input, Output
from webfront.scheduling.joblog import Coverage
from webfront.scheduling.judge import NodeJudge
from webfront.scheduling.leadership import Leadership
from webfront.scheduling.leases import Leases
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.looks import Trouble
from webfront.scheduling.mirror import Mirror
from webfront.scheduling.orders import Orders
from webfront.scheduling.placing import explain_waiting, place_queued
from webfront.scheduling.versions import Versions
from webfront.settings import Settings
from wire.messages import Cause, Claimed, Events, Heartbeat

CLAIM_OVERDUE_S: Final = 30.0
"""An order that a living node has not claimed by then is sent once more: the first may have gone with a lost queue."""
MOST_RESENDS: Final = 10
"""Orders that are never claimed nor answered: an agent of 0.1.0 is silent about an attempt that it knows as ended."""

UNTAKEN_S: Final = 300.0
"""The broker should have confirmed an order by then; a queue that has lost its majority never does."""

_UNTAKEN: Final = "the broker has not taken the order for {node} within {seconds:.0f} s"
_UNANSWERED: Final = "{node} is running, and has not answered the order, however often it was sent ({times} times)"
_UNCLAIMED: Final = "cancelled; {node} has not said that it took the order"
_WITHDRAWN: Final = "{node} went away before it had claimed the order"
_CANCELS: Final = (
    "SELECT a.node, a.job_id AS job, a.number AS attempt FROM job j "
    "JOIN attempt a ON a.job_id = j.id AND a.number = j.attempts WHERE j.state IN (?*) AND j.cancel_requested = 1"
)


class Turns:
    """The scheduler's state in memory, and the turns that change it together with the database."""

    def __init__(self, settings: Settings, leadership: Leadership) -> None:
        self._leadership = leadership
        self._versions = Versions()
        self._coverage = Coverage()
        self.leases = Leases()
        self.mirror = Mirror(settings.score, settings.node_backlog, self._versions)
        self._judge = NodeJudge(
            self.mirror,
            self.leases,
            suspect_s=settings.heartbeat_suspect_s,
            dead_s=settings.heartbeat_dead_s,
            agentless_s=MISSES * settings.agentless_measure_s,
        )
        self._book = EventBook(self.mirror, self._judge, self.leases, self._coverage, self._versions)
        self._suspect_s = settings.heartbeat_suspect_s
        self._orders = Orders(self._versions, Values(settings))
        self._trouble = Trouble()
        self._sent: dict[Key, float] = {}
        """Of orders whose confirm is awaited, when that was first seen."""
        self._stale = True

    def distrust(self) -> None:
        """Read everything again before the next turn: at takeover, and after a transaction that came to nothing."""
        self._stale = True

    def take(self, given: Input, now: float, *, sweep: bool, place: bool, in_flight: Collection[Key] = ()) -> Output:
        """Apply what came, in one transaction. With `sweep`, also look after everything that time brings about.

        `in_flight` are the orders whose confirm is still awaited. Raises `Deposed`, peewee's errors, or whatever a
        poisonous message causes; then nothing was changed.
        """
        try:
            with transaction():
                self._leadership.check()
                if self._stale:
                    self._coverage.forget_all()
                    self._book.forget_unread()
                    self.mirror.load()
                    self._trouble.forget()
                    self._stale = False
                output = self._within(given, now, sweep=sweep, place=place, in_flight=in_flight)
        except BaseException:
            self._stale = True
            raise
        return output

    def _within(self, given: Input, now: float, *, sweep: bool, place: bool, in_flight: Collection[Key]) -> Output:
        output = Output()
        ledger = Ledger(self._versions)
        blocked = bool(given.blocked)
        for name, _ in given.beats:
            self.leases.heard(name)  # before anybody is judged by what is older
        self.leases.connected(given.connected)
        for (job, number), at in given.published:
            ledger.note_published(job, number, at)
            if (live := self.mirror.live.get((job, number))) is not None:
                live.published_at = at
                live.orders += 1
        conclusions = list(given.conclusions)
        unwanted: set[Unwanted] = set()
        if sweep:
            self.mirror.refresh()
            self._trouble.tell(given.blocked, now)
            conclusions.extend(self._lost_attempts(now))
            conclusions.extend(self._withdrawn())
            unwanted = set(rows(Unwanted, _CANCELS, list(LIVE_JOBS)))
            if blocked:
                self._sent = dict.fromkeys(in_flight, now)  # nothing can be confirmed
            else:
                conclusions.extend(self._unanswered(unwanted, now, in_flight))
        said = [*given.events, *self._listed(given.beats, now)]
        output.cancels |= self._book.apply(ledger, said, conclusions, now, unread=given.unread)
        # Only after the events that came with them: see `Leases`.
        lost = [self._no_longer_held(key) for token in given.fences for key in self.leases.fence_returned(token)]
        if lost:
            self._book.apply(ledger, [], lost, now)
        ledger.flush()
        self._hear(given.beats, output, now)
        if sweep:
            output.cancels |= unwanted
        if sweep and not blocked:
            output.orders.extend(self._orders.again(self._unclaimed(now, in_flight)))
        if place and not blocked:
            # A ledger of its own: it reads rows that the first one has written.
            placed = Ledger(self._versions)
            place_queued(placed, self.mirror, self._versions, now)
            placed.flush()
            output.orders.extend(self._orders.made(placed.orders))
            if sweep:
                explain_waiting(self.mirror, self._versions, now)
        self.mirror.flush()
        return output

    def _hear(self, beats: list[tuple[str, Heartbeat]], output: Output, now: float) -> None:
        if any(name not in self.mirror.nodes for name, _ in beats):
            self.mirror.refresh()
        for name, beat in beats:
            node = self.mirror.nodes.get(name)
            held = {(one.job, one.attempt) for one in beat.held}
            if node is not None and beat.out_of_reach:
                self._judge.out_of_reach(node)
            elif node is not None:
                self.mirror.beat(node, beat, now)
                if node.awaited_s:
                    self._judge.leaves(node)
                else:
                    self._judge.heard(node, beat, now)
            for key in held:
                live = self.mirror.live.get(key)
                if live is None or live.node != name:
                    output.cancels.add(Unwanted(name, *key))
            doubted = self.leases.doubt(held, beat.at, self.mirror.on_node(name))
            if doubted:
                token = secrets.token_hex(8)
                self.leases.fence(token, doubted)
                output.fences.append(token)

    def _lost_attempts(self, now: float) -> list[Conclusion]:
        """The attempts that are lost with their nodes."""
        lost = {name: f"{name} has sent no heartbeat for too long" for name in self._judge.sweep(now)}
        return [
            Conclusion(
                one.job,
                one.number,
                Cause.NODE_LOST,
                lost.get(one.node) or f"{one.node} was removed",
                node_fell=one.node in lost,
            )
            for one in self.mirror.live.values()
            if one.node in lost or one.node not in self.mirror.nodes
        ]

    def _withdrawn(self) -> list[Conclusion]:
        """The orders that nodes which are away have not claimed; where there is another node to have them."""
        active = {node.name for node in self.mirror.nodes.values() if node.state is NodeState.ACTIVE}
        return [
            Conclusion(*key, Cause.CANCELLED, _WITHDRAWN.format(node=one.node), only_unclaimed=True, withdrawn=True)
            for key, one in self.mirror.live.items()
            if one.state is AttemptState.PLACED and self.leases.is_away(one.node) and active - {one.node}
        ]

    def _no_longer_held(self, key: Key) -> Conclusion:
        live = self.mirror.live.get(key)
        node = live.node if live is not None else "the node"
        words = f"{node} is running, but no longer has this attempt"
        if (kind := self._book.unread(key)) is not None:
            words += f"; this controller is too old to read all that it said of it ({kind or 'an event of no kind'})"
        return Conclusion(*key, Cause.NODE_LOST, words)

    def _listed(self, beats: list[tuple[str, Heartbeat]], now: float) -> list[tuple[str, Events]]:
        """The claims of attempts that heartbeats list although none of them has come; late ones come by themselves."""
        found = []
        for name, beat in beats:
            keys = ((one.job, one.attempt) for one in beat.held)
            lives = (self.mirror.live.get(key) for key in keys)
            claims = [
                Claimed(one.job, one.number, beat.at)
                for one in lives
                if one is not None and one.node == name and one.state is AttemptState.PLACED and _is_overdue(one, now)
            ]
            if claims:
                found.append((name, Events(events=tuple(claims))))
        return found

    def _overdue(self, now: float, in_flight: Collection[Key]) -> list[Live]:
        """Attempts whose order a living node should have claimed by now."""
        return [
            one
            for key, one in self.mirror.live.items()
            if one.state is AttemptState.PLACED
            and key not in in_flight
            and _is_overdue(one, now)
            and self.leases.silence(one.node) < self._suspect_s
        ]

    def _unanswered(self, unwanted: set[Unwanted], now: float, in_flight: Collection[Key]) -> list[Conclusion]:
        """Attempts that are waited for no longer: nobody wants them, or their orders were sent often or long enough."""
        self._sent = {key: self._sent.get(key, now) for key in in_flight}
        untaken = [(one, now - at) for key, at in self._sent.items() if (one := self.mirror.live.get(key)) is not None]
        ends = [
            (one, Cause.REJECTED, _UNTAKEN.format(node=one.node, seconds=seconds))
            for one, seconds in untaken
            if seconds > UNTAKEN_S
        ]
        overdue = self._overdue(now, in_flight)
        ends += [
            # Not `rejected`: it may well have run there.
            (one, Cause.NODE_LOST, _UNANSWERED.format(node=one.node, times=one.orders))
            for one in overdue
            if one.orders > MOST_RESENDS
        ]
        ends += [
            (one, Cause.CANCELLED, _UNCLAIMED.format(node=one.node))
            for one in [*overdue, *(one for one, seconds in untaken if seconds > CLAIM_OVERDUE_S)]
            if (one.node, one.job, one.number) in unwanted
        ]
        return [Conclusion(one.job, one.number, cause, words, only_unclaimed=True) for one, cause, words in ends]

    def _unclaimed(self, now: float, in_flight: Collection[Key]) -> list[Live]:
        """Attempts whose order has to be sent (again): what a crash left unpublished, and what was never claimed."""
        unpublished = [
            one
            for key, one in self.mirror.live.items()
            if one.state is AttemptState.PLACED and one.published_at is None and key not in in_flight
        ]
        return unpublished + self._overdue(now, in_flight)


def _is_overdue(one: Live, now: float) -> bool:
    # Also where the clock was set back: what is sent once too often does no harm.
    return one.published_at is not None and not 0 <= now - one.published_at <= CLAIM_OVERDUE_S
