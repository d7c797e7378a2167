"""The one door to RabbitMQ: a connection that comes back, confirmed publishing, and consuming, on asyncio.

Nothing outside this package imports pika; its errors become the ones below. A `Broker` lives on one event loop and is
used only from it.

A broker that is a cluster has several hosts, any of which will do: when a connection breaks, they are tried in
turn, and what was consumed on it is consumed anew. Where the address asks for TLS, certificates are checked.

Confirms are pipelined: `publish` never waits, its future resolves when the broker has the message safe. What was under
way when a connection broke ends with `BrokerLost`; it may or may not have arrived, so whoever publishes must be able to
publish it again, and whoever receives must take a second copy for nothing.
"""

from wire.broker.address import BrokerAddress, describe_ca, read_hosts, trust_in
from wire.broker.broker import Broker
from wire.broker.connection import Connect, Connection, Delivery
from wire.broker.errors import BrokerError, BrokerLost, QueueDiffers, QueueLocked, Unroutable, describe_certificate

__all__ = [
    "Broker",
    "BrokerAddress",
    "BrokerError",
    "BrokerLost",
    "Connect",
    "Connection",
    "Delivery",
    "QueueDiffers",
    "QueueLocked",
    "Unroutable",
    "describe_ca",
    "describe_certificate",
    "read_hosts",
    "trust_in",
]
