"""The broker over TLS and of several hosts, on a real RabbitMQ: who is trusted, who is not, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.ansible_module import run_module
from support.rabbitmq import PrivateRabbit, free_ports

from webfront.broker.admission import admit, dismiss
from webfront.broker.management import Management
from webfront.broker.topology import declare_platform, platform_queues
from webfront.errors import BrokerUnavailable
from wire import topology
from wire.broker import Broker, BrokerAddress, Delivery

WITHIN_S = 20.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1 (not for localhost), and its authority in `ca.crt`."""
    folder = tmp_path_factory.mktemp("authority")
    return make(folder, ["127.0.0.1"])


def make(folder: Path, names: list[str]) -> Path:
    made = run_module("skerry_certificate", folder=str(folder / "tls"), authority=str(folder / "ca.crt"), names=names)
    assert "failed" not in made, made
    return folder


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[PrivateRabbit]:
    rabbit = PrivateRabbit(tmp_path_factory.mktemp("rabbit"), certificate=authority / "tls/own.pem")
    rabbit.start()
    yield rabbit
    rabbit.stop()


def address(broker: PrivateRabbit, hosts: str, ca_file: Path | None) -> BrokerAddress:
    return BrokerAddress.read(f"amqps://{broker.user}@{hosts}/", broker.password_file, ca_file)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.02)


def connect(where: BrokerAddress, *, fails: str = "") -> list[bytes]:
    """Connect, send a message and receive it; or see the connection fail with these words in the log."""
    received: list[Delivery] = []
    begun = asyncio.Event()
    words = Words()

    async def scenario() -> None:
        async def begin() -> None:
            await link.declare_queue("t.tls", durable=False, exclusive=True)
            await link.consume("t.tls", received.append, prefetch=1)
            begun.set()

        link = Broker(where, name="test", on_connected=begin)
        running = asyncio.create_task(link.run())
        try:
            if fails:
                await until(lambda: fails in words.said)
                assert not link.connected
                return
            await until(begun.is_set)
            await link.publish("", "t.tls", b"x" * 200_000)
            await until(lambda: received)
        finally:
            await link.stop()
            await running

    logging.getLogger("wire.broker").addHandler(words)
    try:
        asyncio.run(scenario())
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S} s; it said: {words.said}") from None
    finally:
        logging.getLogger("wire.broker").removeHandler(words)
    return [one.body for one in received]


class Words(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said += record.getMessage() + "\n"


def test_messages_pass_where_the_authority_is_trusted(broker: PrivateRabbit, authority: Path) -> None:
    assert connect(address(broker, f"127.0.0.1:{broker.tls_port}", authority / "ca.crt")) == [b"x" * 200_000]


def test_another_authority_is_refused_in_words(broker: PrivateRabbit, tmp_path: Path) -> None:
    other = make(tmp_path, ["127.0.0.1"])
    where = f"127.0.0.1:{broker.tls_port}"
    connect(address(broker, where, other / "ca.crt"), fails="an authority that SKERRY_BROKER_CA_FILE does not hold")
    # And by the system's authorities.
    connect(address(broker, where, None), fails="an authority that SKERRY_BROKER_CA_FILE does not hold")


def test_a_certificate_for_another_name_is_refused_in_words(broker: PrivateRabbit, authority: Path) -> None:
    where = address(broker, f"localhost:{broker.tls_port}", authority / "ca.crt")
    connect(where, fails="its certificate is for another host")


def test_tls_where_none_is_spoken_is_told_in_words(broker: PrivateRabbit, authority: Path) -> None:
    where = address(broker, f"127.0.0.1:{broker.port}", authority / "ca.crt")
    connect(where, fails="it does not speak TLS at this port")


def test_a_file_that_trusts_more_is_read_without_a_restart(
    broker: PrivateRabbit, authority: Path, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.crt"
    trusted.write_text((make(tmp_path, ["127.0.0.1"]) / "ca.crt").read_text())
    where = address(broker, f"127.0.0.1:{broker.tls_port}", trusted)
    words = Words()

    async def scenario() -> None:
        link = Broker(where, name="test")
        running = asyncio.create_task(link.run())
        await until(lambda: "does not hold" in words.said)
        trusted.write_text(trusted.read_text() + (authority / "ca.crt").read_text())
        await until(lambda: link.connected)
        await link.stop()
        await running

    logging.getLogger("wire.broker").addHandler(words)
    try:
        asyncio.run(scenario())
    finally:
        logging.getLogger("wire.broker").removeHandler(words)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_several_hosts_one_is_enough(broker: PrivateRabbit, authority: Path, place: int) -> None:
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    hosts.insert(place, f"127.0.0.1:{broker.tls_port}")
    assert connect(address(broker, ",".join(hosts), authority / "ca.crt"))


def test_the_management_api_is_asked_over_tls_and_at_the_host_that_answers(
    broker: PrivateRabbit, authority: Path, tmp_path: Path
) -> None:
    away, there = f"127.0.0.1:{free_ports(1)[0]}", f"127.0.0.1:{broker.admin_tls_port}"
    api = Management(
        f"https://{away},{there}", broker.user, broker.password, "/", ca_file=authority / "ca.crt", cluster=True
    )
    assert api.get("whoami")["name"] == broker.user
    other = make(tmp_path, ["127.0.0.1"])
    with pytest.raises(BrokerUnavailable, match="does not hold"):
        Management(f"https://{there}", broker.user, broker.password, "/", ca_file=other / "ca.crt").get("whoami")
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        Management(f"https://{away}", broker.user, broker.password, "/", ca_file=other / "ca.crt").get("whoami")


def test_a_broker_that_becomes_a_cluster_has_its_queues_replaced(broker: PrivateRabbit, authority: Path) -> None:
    """And back. What must not be lost is left as it is."""
    one = address(broker, f"127.0.0.1:{broker.tls_port}", authority / "ca.crt")
    several = address(broker, f"127.0.0.1:{broker.tls_port},127.0.0.1:{broker.tls_port}", authority / "ca.crt")

    def declare(where: BrokerAddress) -> dict[str, str]:
        async def scenario() -> None:
            link = Broker(where, name="test", on_connected=lambda: begin())
            done = asyncio.Event()

            async def begin() -> None:
                await declare_platform(link)
                done.set()

            running = asyncio.create_task(link.run())
            async with asyncio.timeout(WITHIN_S):
                await done.wait()
            await link.stop()
            await running

        asyncio.run(scenario())
        api = Management(broker.admin_url, broker.user, broker.password, "/", cluster=where.is_cluster)
        admit(api, "edge-1", "a-password-of-this-test")
        assert admit(api, "edge-1", "a-password-of-this-test") is False
        return {queue["name"]: queue["type"] for queue in api.get("queues", "/") if queue["name"] != "t.tls"}

    classic = {topology.HEARTBEATS, topology.LOGS, topology.LOST_LOGS, topology.control_queue("edge-1")}
    quorum = {queue.name for queue in platform_queues(cluster=False)} - classic | {topology.jobs_queue("edge-1")}
    alone = dict.fromkeys(classic, "classic") | dict.fromkeys(quorum, "quorum")
    assert declare(one) == alone
    assert declare(several) == dict.fromkeys(classic | quorum, "quorum")
    assert declare(one) == alone
    dismiss(Management(broker.admin_url, broker.user, broker.password, "/"), "edge-1")
