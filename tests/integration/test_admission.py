"""A node's broker user can do its work and nothing else, on a real RabbitMQ."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from support.rabbitmq import PrivateRabbit

from webfront.broker.admission import admit, dismiss
from webfront.broker.management import Management
from webfront.errors import BrokerUnavailable, Conflict, InvalidInput

PASSWORD = secrets.token_urlsafe(24)


@pytest.fixture
def api(broker: PrivateRabbit) -> Management:
    return Management(broker.admin_url, broker.user, broker.password, "/")


@pytest.fixture
def node(api: Management) -> Iterator[str]:
    name = f"n{secrets.token_hex(4)}"
    admit(api, name, PASSWORD)
    yield name
    dismiss(api, name)


def connect(broker: PrivateRabbit, user: str, password: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", broker.port, credentials=pika.PlainCredentials(user, password))
    )


def test_a_node_can_do_its_work(broker: PrivateRabbit, api: Management, node: str) -> None:
    with connect(broker, f"node-{node}", PASSWORD) as theirs, connect(broker, broker.user, broker.password) as ours:
        sender = ours.channel()
        sender.confirm_delivery()
        channel = theirs.channel()
        channel.confirm_delivery()
        for exchange, queue in (("skerry.jobs", f"jobs.{node}"), ("skerry.control", f"control.{node}")):
            sender.basic_publish(exchange, node, b"for you", mandatory=True)
            method, _, body = next(channel.consume(queue, inactivity_timeout=10))
            assert body == b"for you"
            channel.basic_ack(method.delivery_tag)
            channel.cancel()
        # A listener of our own, since the scheduler's queues may not be there.
        listener = sender.queue_declare("", exclusive=True).method.queue
        for exchange in ("skerry.events", "skerry.heartbeats", "skerry.logs"):
            sender.queue_bind(listener, exchange)
            channel.basic_publish(exchange, "", b"news", pika.BasicProperties(user_id=f"node-{node}"))
            _, properties, body = next(sender.consume(listener, auto_ack=True, inactivity_timeout=10))
            assert (body, properties.user_id) == (b"news", f"node-{node}")
            sender.cancel()


def test_a_node_can_do_nothing_else(broker: PrivateRabbit, api: Management, node: str) -> None:
    other = f"{node}x"
    admit(api, other, PASSWORD)
    mine = f"jobs.{node}"

    def publish(exchange: str, key: str = "", user_id: str | None = None) -> Callable[[BlockingChannel], object]:
        return lambda channel: channel.basic_publish(exchange, key, b"x", pika.BasicProperties(user_id=user_id))

    attempts: dict[str, Callable[[BlockingChannel], object]] = {
        "declare a queue": lambda channel: channel.queue_declare("mine"),
        "declare a nameless queue": lambda channel: channel.queue_declare("", exclusive=True),
        "declare an exchange": lambda channel: channel.exchange_declare("mine", "fanout"),
        "delete its own queue": lambda channel: channel.queue_delete(mine),
        "bind its queue to another's key": lambda channel: channel.queue_bind(mine, "skerry.jobs", other),
        "bind its queue to all events": lambda channel: channel.queue_bind(mine, "skerry.events"),
        "bind exchanges": lambda channel: channel.exchange_bind("skerry.events", "skerry.jobs", other),
        "take another's orders": lambda channel: channel.basic_get(f"jobs.{other}"),
        "take another's control": lambda channel: channel.basic_get(f"control.{other}"),
        "empty another's orders": lambda channel: channel.queue_purge(f"jobs.{other}"),
        "give orders": publish("skerry.jobs", other),
        "give itself orders": publish("skerry.jobs", node),
        "control another": publish("skerry.control", other),
        "submit jobs": publish("skerry.submitted"),
        "write past the exchanges": publish("", f"jobs.{other}"),
        "speak as another": publish("skerry.events", user_id=f"node-{other}"),
        "speak as the platform": publish("skerry.events", user_id=broker.user),
    }
    allowed = []
    with connect(broker, f"node-{node}", PASSWORD) as theirs:
        for what, attempt in attempts.items():
            channel = theirs.channel()
            channel.confirm_delivery()
            try:
                attempt(channel)
            except pika.exceptions.ChannelClosedByBroker as error:
                assert error.reply_code in (403, 406), what  # noqa: PT017
            else:
                allowed.append(what)
    dismiss(api, other)
    assert allowed == []
    with pytest.raises(BrokerUnavailable, match="administrator"):
        Management(broker.admin_url, f"node-{node}", PASSWORD, "/").get("overview")


def test_admission_says_truthfully_whether_it_changed_anything(broker: PrivateRabbit, api: Management) -> None:
    name = f"n{secrets.token_hex(4)}"
    try:
        assert admit(api, name, PASSWORD) is True
        assert admit(api, name, PASSWORD) is False
        # Each part that is taken away is put back, and told.
        api.delete("bindings", "/", "e", "skerry.jobs", "q", f"jobs.{name}", name)
        assert admit(api, name, PASSWORD) is True
        api.put("permissions", "/", f"node-{name}", body={"configure": "", "write": ".*", "read": ".*"})
        assert admit(api, name, PASSWORD) is True
        another = secrets.token_urlsafe(24)
        assert admit(api, name, another) is True
        assert admit(api, name, another) is False
        connect(broker, f"node-{name}", another).close()
        with pytest.raises(pika.exceptions.ProbableAuthenticationError):
            connect(broker, f"node-{name}", PASSWORD)
        stored = api.get("users", f"node-{name}")
        assert another not in str(stored)
        assert not stored["tags"]
    finally:
        dismiss(api, name)


def test_a_queue_of_another_shape_is_refused_not_replaced(api: Management) -> None:
    name = f"n{secrets.token_hex(4)}"
    api.put("queues", "/", f"jobs.{name}", body={"durable": True, "arguments": {"x-queue-type": "classic"}})
    try:
        with pytest.raises(Conflict, match="inequivalent"):
            admit(api, name, PASSWORD)
    finally:
        dismiss(api, name)


def test_a_dismissed_node_is_out_at_once(broker: PrivateRabbit, api: Management) -> None:
    name = f"n{secrets.token_hex(4)}"
    admit(api, name, PASSWORD)
    connections = [connect(broker, f"node-{name}", PASSWORD) for _ in range(4)]
    # One of them gone and still in the API's list, which is a few seconds old.
    until = time.monotonic() + 20
    while sum(one.get("user") == f"node-{name}" for one in api.get("connections") or ()) < 4:
        assert time.monotonic() < until
        time.sleep(0.2)
    connections.pop().close()
    channels = [connection.channel() for connection in connections]
    assert dismiss(api, name) is True

    def go_on(number: int) -> None:
        for _ in range(50):
            channels[number].basic_publish("skerry.heartbeats", "", b"still here")
            connections[number].process_data_events(time_limit=0.1)

    for number in range(3):
        with pytest.raises((pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError)):
            go_on(number)
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(broker, f"node-{name}", PASSWORD)
    assert api.get("queues", "/", f"jobs.{name}") is None
    assert api.get("queues", "/", f"control.{name}") is None
    assert dismiss(api, name) is False


@pytest.mark.parametrize("name", ["", ".*", "a|b", "UP", "-a", "a" * 33, "a/b"])
def test_a_name_that_would_widen_a_pattern_is_refused(api: Management, name: str) -> None:
    with pytest.raises(InvalidInput):
        admit(api, name, PASSWORD)


def test_who_signed_in_with_the_password_before_is_put_out(broker: PrivateRabbit, api: Management, node: str) -> None:
    old = connect(broker, f"node-{node}", PASSWORD)
    until = time.monotonic() + 20
    # The management API's list of connections is a few seconds old.
    while not any(one.get("user") == f"node-{node}" for one in api.get("connections") or ()):
        assert time.monotonic() < until
        time.sleep(0.2)
    assert admit(api, node, "another-" + PASSWORD) is True

    def listen() -> None:
        for _ in range(100):
            old.process_data_events(0.1)

    with pytest.raises(pika.exceptions.AMQPError):
        listen()
    connect(broker, f"node-{node}", "another-" + PASSWORD).close()
