"""RabbitMQ's own log does not grow for ever: a real broker with the role's lines, and little room."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pika
from support.rabbitmq import PrivateRabbit

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/rabbitmq/templates/etc/rabbitmq/rabbitmq.conf.j2"
SIZE, KEEP = 4000, 2


def log_lines() -> str:
    """What the role says of the broker's log, with numbers that are soon reached."""
    lines = [line for line in TEMPLATE.read_text().splitlines() if line.startswith("log.file.")]
    assert [line.partition(" = ")[0] for line in lines] == [
        "log.file.level",
        "log.file.rotation.size",
        "log.file.rotation.count",
    ]
    values = iter((f"= {SIZE}", f"= {KEEP}"))
    return "".join(re.sub(r"= {{.*}}", lambda _: next(values), line) + "\n" for line in lines)


def test_the_broker_turns_its_log_over_and_keeps_a_few_files(tmp_path: Path) -> None:
    rabbit = PrivateRabbit(tmp_path / "rabbitmq")
    config = rabbit.directory / "rabbitmq.conf"
    config.write_text(config.read_text().replace("log.file.level = warning\n", "") + log_lines())
    rabbit.start()
    try:
        credentials = pika.PlainCredentials(rabbit.user, rabbit.password)
        for _ in range(80):  # each is a few lines
            pika.BlockingConnection(
                pika.ConnectionParameters("127.0.0.1", rabbit.port, credentials=credentials)
            ).close()
        name = f"test{rabbit.port}@localhost.log"
        deadline = time.monotonic() + 30
        while not (rabbit.directory / "log" / f"{name}.1").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        files = sorted(one.name for one in (rabbit.directory / "log").glob(f"{name}*"))
        assert files == [name, f"{name}.0", f"{name}.1"]
        assert sum(one.stat().st_size for one in (rabbit.directory / "log").glob(f"{name}*")) < 10 * SIZE
    finally:
        rabbit.stop()
