"""The broker and the network to it: what RabbitMQ promises, and not a bit more.

A persistent message that was confirmed is kept until it is acknowledged, and delivered again when whoever had it is
gone. All else may be lost, come late, twice, or in another order; a connection may break with either end knowing it
first, and be cut in one direction alone. In need (`block`) it reads nothing more of connections that publish. The real
`wire.broker.Broker` speaks to it by connections of this module's.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from wire import topology
from wire.broker import QueueLocked

from .loop import Timeline
from .network import Client, Message, Weather
from .queues import Queue

if TYPE_CHECKING:
    from .connections import SimulatedChannel, SimulatedConnection

_RETRANSMITTED_S: Final = 3.0
"""How often a host tries to send what the other one has not answered."""

_DIRECT: Final[Mapping[str, Callable[[str], str]]] = {
    topology.JOBS: topology.jobs_queue,
    topology.CONTROL: topology.control_queue,
}
"""The queue a routing key leads to. Of all other exchanges it is the one of their own name."""


class Session:
    """The broker's end of a connection."""

    def __init__(self, rabbit: Rabbit, connection: SimulatedConnection) -> None:
        self.rabbit = rabbit
        self._connection = connection
        self.client = connection.client
        self.alive = True
        self.channels: list[SimulatedChannel] = []
        self._up_at = self._down_at = 0.0
        self._publishes = False
        self._unread: list[Callable[[], None]] = []

    @property
    def name(self) -> str:
        """As the broker's list of connections shows it."""
        return self._connection.name

    @property
    def consumes(self) -> bool:
        return any(channel.consumer is not None for channel in self.channels)

    @property
    def holds_the_seat(self) -> bool:
        queue = self.rabbit.queues.get(topology.LEADER)
        return queue is not None and queue.owner is self

    def up(self, call: Callable[[], None], *, publishes: bool = False) -> None:
        """From the process to the broker: in order, once, unless the connection breaks first."""
        self._up_at = self.rabbit.arrival(self._up_at, self.client.link.up_cut_until)

        def arrive() -> None:
            if publishes and not self._publishes:
                self._publishes = True
                if self.rabbit.blocked:
                    self.tell_blocked()
            if self.alive and self.rabbit.blocked and self._publishes:
                self._unread.append(call)
            elif self.alive:
                call()

        self.rabbit.timeline.at(self._up_at, arrive)

    def tell_blocked(self) -> None:
        """Say that the broker is in need, or is no more and goes on to read."""
        reason = self.rabbit.blocked
        if self._publishes:
            self.down(lambda: self._connection.told_blocked(reason))
        unread, self._unread = ([], self._unread) if reason else (self._unread, [])
        for call in unread:
            if self.alive:
                call()

    def down(self, call: Callable[[], None]) -> None:
        """From the broker to the process, the same."""
        self._down_at = self.rabbit.arrival(self._down_at, self.client.link.down_cut_until)

        def arrive() -> None:
            if self.client.alive and not self._connection.closed.done():
                self.client.loop.call_soon(call)

        self.rabbit.timeline.at(self._down_at, arrive)

    def drop(self) -> None:
        """The broker takes the connection for gone: what was not acknowledged goes back to its queue."""
        if not self.alive:
            return
        self.alive = False
        self.rabbit.sessions.remove(self)
        for channel in self.channels:
            channel.close_here()
        self.rabbit.forget_owned(self)

    def tell(self, reason: str) -> None:
        """The process learns that the connection is gone, if it still lives; as soon as the way to it is open."""
        if not self.client.alive or self._connection.closed.done():
            return
        if self.rabbit.timeline.now < self.client.link.down_cut_until:
            self.rabbit.timeline.after(_RETRANSMITTED_S, lambda: self.tell(reason))
        else:
            self.client.loop.call_soon(self._connection.broken, reason)

    def unheard(self) -> None:
        """The process has heard nothing for too long, and gives up. Its own word of that may take a while."""
        if self.client.alive and not self._connection.closed.done():
            self.client.loop.call_soon(self._connection.broken, "no heartbeat")


class Rabbit:
    """One broker on one host."""

    def __init__(self, timeline: Timeline, weather: Weather) -> None:
        self.timeline = timeline
        self.weather = weather
        self.up = True
        self.up_since = -3600.0
        self.blocked = ""
        """Why it takes nothing of what is published; empty while it does."""
        self.queues: dict[str, Queue] = {}
        self.sessions: list[Session] = []
        self._rng: random.Random = timeline.rng
        self.said: Callable[[Client, Message], None] = lambda client, message: None
        """Told of all that processes publish."""
        self.acknowledged: Callable[[Client, Message], None] = lambda client, message: None
        """Told of all that they acknowledge, when the broker hears of it."""

    def chance(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share

    def arrival(self, not_before: float, cut_until: float) -> float:
        """When something that is sent now arrives: after what was sent before it, and when the way is not cut."""
        latency = self._rng.random() * self.weather.latency_s
        if self.chance(self.weather.slow):
            latency = self._rng.random() * 2.0
        return max(not_before, max(self.timeline.now, cut_until) + latency)

    def declare(self, name: str, arguments: Mapping[str, Any] | None, owner: Session | None) -> None:
        found = self.queues.get(name)
        if found is None:
            self.queues[name] = Queue(self, name, arguments, owner)
        elif found.owner is not owner:
            raise QueueLocked(name)

    def route(self, message: Message) -> bool:
        """To its queue. False when there is none."""
        if not message.persistent and self.chance(self.weather.lost):
            return True
        lead = _DIRECT.get(message.exchange)
        queue = self.queues.get(message.exchange if lead is None else lead(message.key))
        if queue is None:
            return False
        if self.chance(self.weather.doubled):
            queue.put(dataclasses.replace(message))
        queue.put(message)
        return True

    def forget_owned(self, session: Session) -> None:
        for name in [name for name, queue in self.queues.items() if queue.owner is session]:
            del self.queues[name]

    def stop(self) -> None:
        """It goes down: every connection breaks, and what is transient is lost."""
        self.up, self.blocked = False, ""
        for session in list(self.sessions):
            session.drop()
            session.tell("the broker went down")
        for queue in self.queues.values():
            kept = [one for one in queue.ready if one.persistent]
            queue.ready.clear()
            queue.ready.extend(kept)

    def start(self) -> None:
        if not self.up:
            self.up, self.up_since = True, self.timeline.now

    def block(self, reason: str) -> None:
        """It is in need for this reason; for none, no more."""
        self.blocked = reason
        for session in list(self.sessions):
            session.tell_blocked()

    def closed_by_host(self, client: Client) -> None:
        """The process is dead: its host closes its connections, after what it had sent."""
        for session in [one for one in self.sessions if one.client is client]:
            session.up(session.drop)

    def drop(self, client: Client) -> None:
        """The broker takes this process's connections for gone."""
        for session in [one for one in self.sessions if one.client is client]:
            session.drop()
            session.tell("the connection was reset")
