"""A cluster of three carries on when one is killed, and what was confirmed before, during and after arrives."""

from __future__ import annotations

import asyncio
import dataclasses
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from webfront.broker.admission import admit
from webfront.broker.management import Management
from webfront.broker.topology import declare_platform, node_queues, platform_queues
from wire import topology
from wire.broker import Broker, BrokerAddress, BrokerError, Delivery

testinfra_hosts = ["cluster-1"]
MEMBERS = ("cluster-1", "cluster-2", "cluster-3")
PLATFORM = "skerry"
WITHIN_S = 90.0


class Cluster:
    """The three of them, as a platform on another machine sees them."""

    def __init__(self, host: Any, folder: Path) -> None:
        self._inventory: str = host.backend.ansible_inventory
        self._hosts = {name: host.get_host(f"ansible://{name}?ansible_inventory={self._inventory}") for name in MEMBERS}
        variables = {name: one.ansible.get_variables() for name, one in self._hosts.items()}
        self._addresses = {name: str(found["ansible_host"]) for name, found in variables.items()}
        self._password = str(variables["cluster-1"]["rabbitmq_admin_password"])
        self.ca_file = folder / "ca.crt"
        self.ca_file.write_text(self.run("cluster-1", "cat /etc/rabbitmq/ca.crt"))
        self.password_file = folder / "password"
        self.password_file.write_text(self._password)

    def run(self, name: str, command: str) -> str:
        with self._hosts[name].sudo():
            return str(self._hosts[name].check_output(command))

    def address(self) -> BrokerAddress:
        hosts = ",".join(self._addresses.values())
        return BrokerAddress.read(f"amqps://{PLATFORM}@{hosts}/{PLATFORM}", self.password_file, self.ca_file)

    def management(self) -> Management:
        url = "https://" + ",".join(self._addresses.values())
        return Management(url, PLATFORM, self._password, PLATFORM, ca_file=self.ca_file, cluster=True)

    def converge(self, *options: str) -> None:
        """The role again, as by an administrator."""
        playbook = Path(__file__).parents[1] / "converge.yml"
        command = ["ansible-playbook", "-i", self._inventory, str(playbook), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}{done.stderr[-1000:]}"

    def queues(self) -> dict[str, dict[str, Any]]:
        return {queue["name"]: queue for queue in self.management().get("queues", PLATFORM)}


@pytest.fixture(scope="module")
def cluster(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(host, tmp_path_factory.mktemp("cluster"))


@asynccontextmanager
async def connected(cluster: Cluster, name: str, begin: Callable[[Broker], Any]) -> AsyncIterator[Broker]:
    link = Broker(cluster.address(), name=name, on_connected=lambda: begin(link))
    running = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        await link.stop()
        await running


async def connects_to(cluster: Cluster, host: str, port: int) -> bool:
    """Whether a client of this one member comes to be connected."""
    address = dataclasses.replace(cluster.address(), host=host, port=port, others=())
    link = Broker(address, name="test")
    running = asyncio.create_task(link.run())
    for _ in range(50):
        if link.connected:
            break
        await asyncio.sleep(0.1)
    well = link.connected
    await link.stop()
    await running
    return well


async def until(holds: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S:.0f} s: {what}") from None


async def until_spread(cluster: Cluster, expected: set[str]) -> None:
    """Each of these queues is on every member, and up there. The API tells it some seconds later."""
    short: dict[str, list[str]] = {name: [] for name in expected}
    until_s = asyncio.get_running_loop().time() + WITHIN_S
    while short and asyncio.get_running_loop().time() < until_s:
        await asyncio.sleep(0.5)
        found = await asyncio.to_thread(cluster.queues)
        online = {name: found.get(name, {}).get("online", []) for name in expected}
        short = {name: there for name, there in online.items() if len(there) < len(MEMBERS)}
    assert not short


async def connection_of(cluster: Cluster, name: str) -> dict[str, Any]:
    """A client's connection, by its name. The API tells it some seconds after it is there."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(WITHIN_S):
        while not found:
            listed = await asyncio.to_thread(cluster.management().get, "connections")
            found = [one for one in listed if one.get("client_properties", {}).get("connection_name") == name]
            await asyncio.sleep(0.2)
    return found[0]


async def send(link: Broker, confirmed: set[int], number: int) -> None:
    """Until it is confirmed, as everyone does who has to tell something."""
    while number not in confirmed:
        try:
            await link.publish("", topology.EVENTS, str(number).encode())
            confirmed.add(number)
        except BrokerError:
            await asyncio.sleep(0.1)


def test_they_are_one_cluster_that_speaks_to_nobody_else(cluster: Cluster) -> None:
    running = {node["name"] for node in cluster.management().get("nodes") if node["running"]}
    assert running == {f"rabbit@{name}" for name in MEMBERS}
    cookies = {cluster.run(name, "sha256sum /var/lib/rabbitmq/.erlang.cookie") for name in MEMBERS}
    assert len(cookies) == 1
    for name in MEMBERS:
        listening = cluster.run(name, "ss -Hltn '( sport = :4369 or sport = :25672 )' | awk '{print $4}'").split()
        assert "0.0.0.0" not in " ".join(listening)
        assert "*:" not in " ".join(listening)
    for name in ("cluster-2", "cluster-3"):
        cluster.run(name, "test ! -e /etc/skerry-broker-authority")


def test_nothing_confirmed_is_lost_when_one_is_killed_and_it_comes_back_from_nothing(cluster: Cluster) -> None:
    confirmed: set[int] = set()
    received: set[int] = set()
    begun: list[int] = []
    expected = {queue.name for queue in (*platform_queues(cluster=True), *node_queues("edge-1", cluster=True))}

    async def scenario() -> None:
        def take(delivery: Delivery) -> None:
            received.add(int(delivery.body))
            delivery.ack(multiple=False)

        async def lead(link: Broker) -> None:
            await declare_platform(link)
            await link.declare_queue(topology.LEADER, durable=False, exclusive=True)
            await link.consume(topology.EVENTS, take, prefetch=50)
            await link.consume(topology.HEARTBEATS, take, prefetch=50)
            begun.append(link.connects)

        async def nothing(_: Broker) -> None:
            return

        async with connected(cluster, "scheduler", lead) as scheduler, connected(cluster, "agent", nothing) as agent:
            await until(lambda: begun and agent.connected, "the first connections")
            await asyncio.to_thread(admit, cluster.management(), "edge-1", "a-password-of-this-scenario")
            await until_spread(cluster, expected)
            for number in range(200):
                await send(agent, confirmed, number)

            # The one that the scheduler is connected to, and with it the exclusive queue of the leadership.
            victim = (await connection_of(cluster, "scheduler"))["node"].removeprefix("rabbit@")
            kill = "systemctl kill --signal=KILL rabbitmq-server; systemctl stop rabbitmq-server"
            killing = asyncio.create_task(asyncio.to_thread(cluster.run, victim, kill))
            for number in range(200, 600):
                await send(agent, confirmed, number)
            await killing
            await until(lambda: len(begun) > 1 and scheduler.connected, "another leadership")
            for number in range(600, 700):
                await send(agent, confirmed, number)
            # A heartbeat finds its queue, and a node can be admitted, while one is away.
            await agent.publish(topology.HEARTBEATS, "", b"1000", persistent=False)
            await until(lambda: 1000 in received, "a heartbeat")
            assert await asyncio.to_thread(admit, cluster.management(), "edge-2", "a-password-of-this-scenario")

            # Reinstalled: what it held is gone, its cookie is another.
            wipe = "rm -rf /var/lib/rabbitmq/mnesia; echo another > /var/lib/rabbitmq/.erlang.cookie"
            await asyncio.to_thread(cluster.run, victim, wipe)
            await asyncio.to_thread(cluster.converge, "--limit", victim)
            for number in range(700, 800):
                await send(agent, confirmed, number)
            await until(lambda: confirmed <= received, f"all of {len(confirmed)}")

        await until_spread(cluster, expected | {queue.name for queue in node_queues("edge-2", cluster=True)})

    asyncio.run(scenario())


def test_an_authority_is_rotated_while_clients_connect_anew(cluster: Cluster) -> None:
    """In the three steps of rotate.yml; a client that was told of both trusts every broker at each of them."""
    old = cluster.run("cluster-1", "cat /etc/rabbitmq/ca.crt")

    def connects(ca: str) -> bool:
        cluster.ca_file.write_text(ca)
        return all(asyncio.run(connects_to(cluster, *host)) for host in cluster.address().hosts)

    cluster.converge("--extra-vars", "rabbitmq_tls_rotate=introduce", "--tags", "rabbitmq_configure")
    both = cluster.run("cluster-1", "cat /etc/rabbitmq/ca.crt")
    assert both.count("BEGIN CERTIFICATE") == 2
    assert connects(old)
    assert connects(both)
    cluster.converge("--extra-vars", "rabbitmq_tls_rotate=adopt", "--tags", "rabbitmq_configure")
    assert connects(both)
    assert not connects(old)
    cluster.converge("--extra-vars", "rabbitmq_tls_rotate=retire", "--tags", "rabbitmq_configure")
    new = cluster.run("cluster-1", "cat /etc/rabbitmq/ca.crt")
    assert new.count("BEGIN CERTIFICATE") == 1
    assert connects(new)
