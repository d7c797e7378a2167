"""The exchanges and queues the platform and each node need, as data, and the platform's declaration over AMQP.

A node's queues are made with its broker user, by `webfront.broker.admission`.

The names are `wire.topology`'s. What is declared here must stay the same for a name once it is in use: the broker
refuses other arguments for a queue that exists. It works on RabbitMQ 3.10 and on 4, whose defaults differ (4 limits a
quorum queue to 20 deliveries and deprecates transient queues that are not exclusive), so nothing is left to defaults.

On a cluster every queue is a quorum queue: a classic one is on one host, and cannot be used, nor declared anew, while
that is away. Alone, what may be lost is in classic queues, which cost no sync of the disk. A broker that becomes a
cluster, or is one no more, has those in the other kind, and they are replaced with what they hold.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, Final

from wire import topology
from wire.broker import Broker, QueueDiffers

_log = logging.getLogger(__name__)

ORDER_DELIVERIES: Final = 5
"""An order delivered this often without an acknowledgement is dead-lettered: no agent of that node lives to take it."""

_SCHEDULER_DELIVERIES: Final = 1000
"""High, since a restart of the scheduler delivers again. What passes it is not lost: it comes by `skerry.dead`."""

_LAST_RESORT_DELIVERIES: Final = 1_000_000

_AT_ONCE: Final = 50
"""Declarations under way to the broker, each on a channel of its own."""

_HEARTBEATS_KEPT: Final = 1000
_HEARTBEAT_TTL_MS: Final = 15_000
"""An older heartbeat would only say what was."""

_CONTROL_KEPT: Final = 1000
_CONTROL_TTL_MS: Final = 30_000
"""Whoever sends a control message sends it again while it is needed."""

_CLASSIC: Final = {"x-queue-type": "classic"}


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: str


@dataclasses.dataclass(frozen=True)
class Queue:
    """A durable queue, and the exchange and routing key that lead to it."""

    name: str
    arguments: dict[str, Any]
    exchange: str
    routing_key: str = ""
    replaceable: bool = False
    """What it holds may be lost: one that stands in another kind is deleted and made anew."""


def _quorum(deliveries: int, *, dead_letters: bool = True, single_consumer: bool = False) -> dict[str, Any]:
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": deliveries}
    if dead_letters:
        arguments["x-dead-letter-exchange"] = topology.DEAD
    if single_consumer:
        arguments["x-single-active-consumer"] = True
    return arguments


def _dispensable(*, cluster: bool) -> dict[str, Any]:
    """A queue without dead letters, durable."""
    return {"x-queue-type": "quorum", "x-delivery-limit": _LAST_RESORT_DELIVERIES} if cluster else _CLASSIC


def _bounded(length: int, *, cluster: bool, **more: Any) -> dict[str, Any]:
    """A queue that drops its oldest messages. Durable, although what it holds need not be."""
    return {**_dispensable(cluster=cluster), "x-max-length": length, "x-overflow": "drop-head", **more}


EXCHANGES: Final = (
    Exchange(topology.SUBMITTED, "fanout"),
    Exchange(topology.EVENTS, "fanout"),
    Exchange(topology.HEARTBEATS, "fanout"),
    Exchange(topology.LOGS, "fanout"),
    Exchange(topology.LOST_LOGS, "fanout"),
    Exchange(topology.DEAD, "fanout"),
    Exchange(topology.JOBS, "direct"),
    Exchange(topology.CONTROL, "direct"),
)


def platform_queues(*, cluster: bool) -> tuple[Queue, ...]:
    """What the platform needs, on a broker that is a cluster or stands alone."""
    heartbeats = {"x-message-ttl": _HEARTBEAT_TTL_MS, "x-single-active-consumer": True}
    return (
        Queue(topology.SUBMITTED, _quorum(_SCHEDULER_DELIVERIES, single_consumer=True), topology.SUBMITTED),
        Queue(topology.EVENTS, _quorum(_SCHEDULER_DELIVERIES, single_consumer=True), topology.EVENTS),
        Queue(topology.DEAD, _quorum(_LAST_RESORT_DELIVERIES, dead_letters=False, single_consumer=True), topology.DEAD),
        Queue(
            topology.HEARTBEATS,
            _bounded(_HEARTBEATS_KEPT, cluster=cluster, **heartbeats),
            topology.HEARTBEATS,
            replaceable=True,
        ),
        # How much they hold is a policy's, which can change while they stand: `webfront.logs.bounds`.
        Queue(topology.LOGS, _dispensable(cluster=cluster), topology.LOGS, replaceable=True),
        Queue(topology.LOST_LOGS, _dispensable(cluster=cluster), topology.LOST_LOGS, replaceable=True),
    )


def node_queues(name: str, *, cluster: bool) -> tuple[Queue, ...]:
    """What the node `name` needs: its orders, and its control messages."""
    control = {"x-message-ttl": _CONTROL_TTL_MS}
    return (
        Queue(topology.jobs_queue(name), _quorum(ORDER_DELIVERIES), topology.JOBS, name),
        Queue(
            topology.control_queue(name),
            _bounded(_CONTROL_KEPT, cluster=cluster, **control),
            topology.CONTROL,
            name,
            replaceable=True,
        ),
    )


async def declare_platform(broker: Broker) -> None:
    """Make what the platform needs and is not there yet. Raises `BrokerError`."""
    for exchange in EXCHANGES:
        await broker.declare_exchange(exchange.name, exchange.kind)
    for queue in platform_queues(cluster=broker.is_cluster):
        try:
            await broker.declare_queue(queue.name, arguments=queue.arguments)
        except QueueDiffers as error:
            if not queue.replaceable:
                raise
            _log.warning("the queue %s is made anew: %s", queue.name, error)
            await broker.delete_queue(queue.name)
            await broker.declare_queue(queue.name, arguments=queue.arguments)
        # Bound last: a message is routed here only once the queue is as it must be.
        await broker.bind_queue(queue.name, queue.exchange, queue.routing_key)


async def declare_nodes(broker: Broker, nodes: Sequence[str]) -> None:
    """Make the queues of these nodes where a broker has lost them. Raises `BrokerLost`.

    So an order waits there for its node, which `webfront.fleet.admissions` lets in again, instead of being returned.
    """
    queues = [queue for node in nodes for queue in node_queues(node, cluster=broker.is_cluster)]
    for start in range(0, len(queues), _AT_ONCE):
        await asyncio.gather(*(_declare_node_queue(broker, queue) for queue in queues[start : start + _AT_ONCE]))


async def _declare_node_queue(broker: Broker, queue: Queue) -> None:
    try:
        await broker.declare_queue(queue.name, arguments=queue.arguments)
        await broker.bind_queue(queue.name, queue.exchange, queue.routing_key)
    except QueueDiffers as error:
        # Its node's next registration, or `nodes-renew`, says what is wrong with it and replaces what may be.
        _log.warning("the queue %s stands in another kind: %s", queue.name, error)
