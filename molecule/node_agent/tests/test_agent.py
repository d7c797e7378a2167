"""What a platform asks of a node: it beats, runs what it is ordered, and can do nothing else at the broker."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest

from wire import messages, topology

testinfra_hosts = ["ansible://nodes"]

PLATFORM = "skerry"
ANSWER_WITHIN_S = 60.0
# Says what it was given and as whom it runs.
APP = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--input")
parser.add_argument("--output", required=True)
parser.add_argument("--greeting")
given = parser.parse_args()
print("a line of the log", flush=True)
out = pathlib.Path(given.output, "predictions.csv")
out.write_text(f"greeting,user\\n{given.greeting},{os.getuid()}\\n")
"""


class Node:
    """A machine of the scenario, its variables, and connections to the broker as the platform or as the node."""

    def __init__(self, host: Any) -> None:
        variables = host.ansible.get_variables()
        self.host = host
        self.name: str = variables["inventory_hostname"]
        self.password: str = variables["node_agent_broker_password"]
        self._platform_password: str = variables["rabbitmq_admin_password"]
        self._broker: str = host.ansible("debug", "var=node_agent_broker_host")["node_agent_broker_host"]

    def connect(self, *, as_platform: bool = False) -> pika.BlockingConnection:
        user, password = (PLATFORM, self._platform_password) if as_platform else (self.user, self.password)
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                host=self._broker,
                virtual_host=PLATFORM,
                credentials=pika.PlainCredentials(user, password),
                socket_timeout=10,
            )
        )

    @property
    def user(self) -> str:
        return topology.node_user(self.name)

    def put_app(self) -> messages.AppRef:
        """Lays the app onto the share as the web front does: a folder only root reads, named by its content."""
        version = hashlib.sha256(APP.encode()).hexdigest()
        folder = f"/srv/skerry/apps/{version}"
        with self.host.sudo():
            self.host.run_expect([0], f"install -d -m 0700 {folder}")
            self.host.run_expect([0], f"cat > {folder}/main.py <<'END'\n{APP.replace('%', '%%')}\nEND")
        return messages.AppRef(name="greeter", version=version)


@pytest.fixture
def node(host: Any) -> Node:
    return Node(host)


@pytest.fixture
def platform(node: Node) -> Iterator[pika.BlockingConnection]:
    connection = node.connect(as_platform=True)
    yield connection
    connection.close()


def test_a_heartbeat_arrives(node: Node, platform: pika.BlockingConnection) -> None:
    channel = platform.channel()
    until = time.monotonic() + ANSWER_WITHIN_S
    for method, properties, body in channel.consume(topology.HEARTBEATS, inactivity_timeout=1):
        assert time.monotonic() < until, "no heartbeat of this node came"
        if method is None:
            continue
        channel.basic_ack(method.delivery_tag)
        beat = messages.decode(body)
        if properties.user_id == node.user and isinstance(beat, messages.Heartbeat):
            assert beat.metrics.events_per_second is not None
            assert beat.metrics.events_per_second > 0
            assert beat.slots == 1
            break


def test_an_order_is_run_and_its_end_is_told(node: Node, platform: pika.BlockingConnection) -> None:
    job = uuid.uuid4().hex
    order = messages.Order(job=job, attempt=1, app=node.put_app(), parameters={"greeting": "ahoy"})
    channel = platform.channel()
    channel.confirm_delivery()
    channel.basic_publish(
        topology.JOBS, node.name, messages.encode(order), pika.BasicProperties(delivery_mode=2), mandatory=True
    )

    told: list[messages.Event] = []
    until = time.monotonic() + ANSWER_WITHIN_S
    for method, properties, body in channel.consume(topology.EVENTS, inactivity_timeout=1):
        assert time.monotonic() < until, f"no end was told; came: {told}"
        if method is None:
            continue
        channel.basic_ack(method.delivery_tag)
        message = messages.decode(body)
        assert isinstance(message, messages.Events)
        if properties.user_id == node.user:
            told += [event for event in message.events if event.job == job]
        if told and isinstance(told[-1], messages.Finished):
            break

    end = told[-1]
    assert isinstance(end, messages.Finished)
    assert end.cause == messages.Cause.OK, end
    assert [line for event in told if isinstance(event, messages.LogLines) for line in event.lines] == [
        "a line of the log"
    ]
    with node.host.sudo():
        result = node.host.check_output(f"cat /srv/skerry/results/{job}/1/predictions.csv")
    # The agent is root and has a user for each slot: the app ran as the first one's, not as root.
    assert result.splitlines() == ["greeting,user", "ahoy,61600"]
    assert end.outputs[0].sha256 == hashlib.sha256((result + "\n").encode()).hexdigest()


FORBIDDEN: dict[str, Callable[[Any, Node], object]] = {
    "read another node's orders": lambda channel, node: channel.basic_get(topology.jobs_queue(other(node))),
    "read other nodes' events": lambda channel, node: channel.basic_get(topology.EVENTS),
    "declare a queue": lambda channel, node: channel.queue_declare("mine"),
    "order a job": lambda channel, node: publish(channel, topology.JOBS, other(node), node.user),
    "bind itself to another's orders": lambda channel, node: channel.queue_bind(
        topology.jobs_queue(node.name), topology.JOBS, other(node)
    ),
    "speak as another node": lambda channel, node: publish(
        channel, topology.EVENTS, "", topology.node_user(other(node))
    ),
}


def other(node: Node) -> str:
    return "agent-12" if node.name == "agent-13" else "agent-13"


def publish(channel: Any, exchange: str, routing_key: str, user: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish(exchange, routing_key, b"{}", pika.BasicProperties(user_id=user))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_nodes_user_cannot(what: str, node: Node) -> None:
    connection = node.connect()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refusal:
        FORBIDDEN[what](connection.channel(), node)
    # 403 ACCESS_REFUSED; 406 PRECONDITION_FAILED is the broker's word for a user_id that is not the sender's.
    assert refusal.value.reply_code in (403, 406)
    connection.close()


def test_only_root_reads_the_nodes_password(node: Node) -> None:
    with node.host.sudo():
        file = node.host.file("/etc/skerry-agent/broker-password")
        assert file.content_string.strip() == node.password
        assert (file.user, file.mode) == ("root", 0o600)
        # Not in the unit's environment or command line either, which others can see.
        shown = node.host.check_output("systemctl show skerry-agent.service")
    assert node.password not in shown


def test_the_agent_takes_up_its_work_after_a_kill(node: Node, platform: pika.BlockingConnection) -> None:
    with node.host.sudo():
        before = node.host.check_output("systemctl show --property MainPID --value skerry-agent.service")
        node.host.run_expect([0], "kill -KILL %s", before)
    until = time.monotonic() + ANSWER_WITHIN_S
    while time.monotonic() < until:
        after = node.host.check_output("systemctl show --property MainPID --value skerry-agent.service")
        if after not in ("0", before):
            break
        time.sleep(0.5)
    assert after not in ("0", before)
    test_an_order_is_run_and_its_end_is_told(node, platform)


def test_what_the_agent_says_is_json(node: Node) -> None:
    with node.host.sudo():
        lines = node.host.check_output("journalctl --unit skerry-agent.service --output cat").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert records
    assert all("@timestamp" in record and "message" in record for record in records)
