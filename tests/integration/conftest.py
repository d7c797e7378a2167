"""The real services that integration tests talk to. They fail, never skip, where one is missing."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.admin import Admin
from support.agents import APP, AgentProcess
from support.elasticsearch import PrivateElasticsearch
from support.front import PASSWORD, Front
from support.node import VERSION, Controller
from support.platform import Platform
from support.rabbitmq import PrivateRabbit
from support.shipping import Shipping, Writer, install
from support.stores import SQLITE, Store

from webfront.accounts.users import create_user
from webfront.broker.admission import admit, dismiss
from webfront.database.schema import migrate_database, open_database

STREAMS = itertools.count(1)
"""Elasticsearch as the tests have it deletes no data stream: each test has its own."""


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbit]:
    """One private RabbitMQ for the whole run. A test that kills it leaves it running again."""
    rabbit = PrivateRabbit(Path(tmp_path_factory.mktemp("rabbitmq")))
    rabbit.start()
    yield rabbit
    rabbit.stop()


@pytest.fixture
def front(tmp_path: Path, broker: PrivateRabbit, store: Store, database: object) -> Iterator[Front]:
    """A web front with one user, ada."""
    (tmp_path / "state").mkdir()
    create_user("ada", PASSWORD, is_admin=True)
    made = Front(tmp_path, broker, store)
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGTERM)


@pytest.fixture
def ada(front: Front) -> Iterator[httpx.Client]:
    """A client of hers, with an app `noop` that needs no input."""
    with httpx.Client(base_url=f"{front.api}/", timeout=30) as client:
        token = client.post("tokens", json={"user": "ada", "password": PASSWORD}).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.post("apps", files={"file": ("noop.py", b"")}).raise_for_status()
        yield client


@pytest.fixture
def admin(tmp_path: Path, broker: PrivateRabbit, bare_store: Store) -> Admin:
    """`skerry-admin` of a platform that has its schema and its first user, ann."""
    call = Admin(tmp_path, broker, bare_store)
    (tmp_path / "first").write_text("correct horse battery\n")
    assert call("init", "--admin", "ann", "--password-file", str(tmp_path / "first"))["changed"] is True
    open_database(bare_store.url, bare_store.password_file)
    return call


@pytest.fixture
def controller(broker: PrivateRabbit, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    # Users that apps run as must be able to reach the folder, which pytest's own may not allow.
    directory = tmp_path_factory.mktemp("node")
    for folder in (directory, directory.parent):
        folder.chmod(0o755)
    controller = Controller(broker, directory)
    app = directory / "share" / "apps" / VERSION
    app.mkdir(parents=True)
    (app / "main.py").write_text(APP)
    return controller


@pytest.fixture
def agent(controller: Controller) -> Iterator[AgentProcess]:
    agent = AgentProcess(controller.environment(SKERRY_NODE_SLOTS="3"), controller.directory / "agent.log")
    yield agent
    if agent.process is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            agent.signal(signal.SIGTERM)
    print(agent.log.read_text()[-5000:])


@pytest.fixture
def shipping(tmp_path: Path, broker: PrivateRabbit, engine: PrivateElasticsearch) -> Iterator[Shipping]:
    (tmp_path / "state").mkdir()
    store = Store(SQLITE, f"sqlite:///{tmp_path}/skerry.sqlite")
    migrate_database(store.url, None)
    install(engine)
    made = Shipping(tmp_path, broker, engine, store, f"logs-skerry-test{next(STREAMS)}")
    yield made
    made.end()
    for queue in ("skerry.logs", "skerry.logs.lost"):
        # Where there are any: a scheduler's policy may hold less than the next test writes. The queue itself goes:
        # what a shipper held that was killed comes back to it a moment later.
        for left in (f"queues/%2F/{queue}", f"policies/%2F/{queue}"):
            with contextlib.suppress(OSError):
                broker.api(f"/api/{left}", "DELETE")


@pytest.fixture
def writer(shipping: Shipping, broker: PrivateRabbit) -> Iterator[Writer]:
    made = Writer(broker)
    yield made
    made.stop()


@pytest.fixture
def alpha(platform: Platform) -> Iterator[AgentProcess]:
    """The node alpha with three slots, and its agent, which nobody has started yet."""
    password_file = platform.directory / "alpha.password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    admit(platform.api, "alpha", password_file.read_text())
    platform.node("alpha", slots=3)
    for folder in ("apps", "inputs", "results"):
        (platform.directory / "share" / folder).mkdir(parents=True)
    environment = {
        "SKERRY_NODE_ID": "alpha",
        "SKERRY_NODE_STATE_DIR": str(platform.directory / "alpha"),
        "SKERRY_SHARE_DIR": str(platform.directory / "share"),
        "SKERRY_BROKER_URL": f"amqp://node-alpha@127.0.0.1:{platform.rabbit.port}/",
        "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
        "SKERRY_HEARTBEAT_S": "0.5",
        "SKERRY_NODE_SLOTS": "3",
        "SKERRY_NODE_UID_BASE": "61300",
    }
    agent = AgentProcess(environment, platform.directory / "agent.log")
    yield agent
    if agent.process is not None and agent.process.poll() is None:
        agent.process.kill()
        agent.process.wait()
    dismiss(platform.api, "alpha")
    print(agent.log.read_text()[-5000:] if agent.log.exists() else "")
