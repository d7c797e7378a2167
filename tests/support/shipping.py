"""Log records on their way to a real Elasticsearch: who writes them, the shipper's process, and what has arrived."""

from __future__ import annotations

import asyncio
import base64
import collections
import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from webfront.broker.topology import declare_platform
from wire.broker import Broker, BrokerAddress
from wire.logs import EcsFormatter, LogShipper, _Message, lines_of

from .elasticsearch import PrivateElasticsearch
from .front import controller_settings
from .rabbitmq import PrivateRabbit
from .stores import Store

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATES = PROJECT / "logstash/templates"


def install(engine: PrivateElasticsearch) -> None:
    """The templates, as the role elasticsearch gives them to a server."""
    for file in sorted(TEMPLATES.glob("*@*.json")):
        answered(engine, "PUT", f"/_component_template/{file.stem}", json.loads(file.read_text()))
    answered(engine, "PUT", "/_index_template/skerry-logs", json.loads((TEMPLATES / "skerry-logs.json").read_text()))


def key_for(engine: PrivateElasticsearch, rights: str) -> str:
    """An API key with the rights of a file in logstash/rights."""
    described = json.loads((PROJECT / f"logstash/rights/{rights}.json").read_text())
    body = {"name": rights, "role_descriptors": described}
    return str(answered(engine, "POST", "/_security/api_key", body)["encoded"])


def answered(engine: PrivateElasticsearch, method: str, path: str, body: Any = None) -> dict[str, Any]:
    status, found = engine.request(method, path, body)
    assert status < 300, (path, status, found)
    return found


def example(message: str = "hello") -> logging.LogRecord:
    """A record as any process may log it."""
    record = logging.LogRecord("tests", logging.INFO, __file__, 1, message, None, None)
    record.__dict__ |= {"event.action": "tests.write", "skerry.job": "01M8EP8DJEAKVT6NVQ1619QFQ8", "user.name": "ada"}
    return record


class Writer:
    """Something that logs, as the platform's processes do; it knows the id of each record it wrote."""

    def __init__(self, broker: PrivateRabbit, formatter: logging.Formatter | None = None) -> None:
        self.written: list[str] = []
        self._address = BrokerAddress.read(broker.url, broker.password_file)
        self._remembering = _Remembering(formatter or EcsFormatter("writer", None), self.written)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def write(self, count: int, *, message: str = "hello", older: bool = False) -> None:
        """As many records. `older`: as a process of release 0.1.0 sends them."""
        self.send((example(message) for _ in range(count)), older=older)

    def send(self, records: Iterable[logging.LogRecord], *, older: bool = False) -> None:
        """These; while too many wait for the broker, where the oldest would be dropped, it waits as well."""
        shipper = self._older if older else self._shipper
        for record in records:
            while shipper.unsettled > 4000:
                time.sleep(0.05)
            shipper.emit(record)

    def line(self) -> bytes:
        """One more record, for the test to send."""
        return self._remembering.format(example()).encode()

    def arrive(self) -> None:
        """Everything that was written is with the broker."""
        until = time.monotonic() + 60
        while self._shipper.unsettled or self._older.unsettled:
            assert time.monotonic() < until
            time.sleep(0.05)

    def stop(self) -> None:
        self.arrive()
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()

        async def begin() -> None:
            await declare_platform(broker)
            self._shipper.flush_waiting()
            self._older.flush_waiting()
            self._ready.set()

        broker = Broker(self._address, name="writer", on_connected=begin)
        self._shipper, self._older = LogShipper(broker, self._loop), _Older(broker, self._loop)
        for one in (self._shipper, self._older):
            one.setFormatter(self._remembering)
        running = asyncio.create_task(broker.run())
        await self._stopping.wait()
        await broker.stop()
        await running


class _Older(LogShipper):
    """Sends as release 0.1.0 does: each record at once, in a message of its own, without a line break."""

    def _next(self) -> tuple[_Message, bool] | None:
        if self._again:
            return self._again.popleft(), True
        if not self._waiting or self._records_under_way >= 1000:
            return None
        return _Message(self._waiting.popleft().removesuffix(b"\n"), 1), False


class _Remembering(logging.Formatter):
    def __init__(self, formatter: logging.Formatter, written: list[str]) -> None:
        super().__init__()
        self._formatter, self._written = formatter, written

    def format(self, record: logging.LogRecord) -> str:
        text = self._formatter.format(record)
        self._written.append(json.loads(text)["event.id"])
        return text


class Shipping:
    """A broker, a server and a database, and the processes that ship from the one to the other."""

    def __init__(
        self, folder: Path, broker: PrivateRabbit, engine: PrivateElasticsearch, store: Store, stream: str
    ) -> None:
        self.folder, self.broker, self.engine, self.stream = folder, broker, engine, stream
        key = folder / "api-key"
        key.touch(mode=0o600)
        key.write_text(key_for(engine, "shipper"))
        self.environment = {
            **controller_settings(folder, broker, store),
            "SKERRY_LOGS_READER": "shipper",
            "SKERRY_ELASTIC_URL": engine.url,
            "SKERRY_ELASTIC_API_KEY_FILE": str(key),
            "SKERRY_ELASTIC_STREAM": stream,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, process: str = "shipper", **settings: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{process}.log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "webfront", process], env={**self.environment, **settings}, stderr=log
            )
        self.processes.append(started)
        return started

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()

    def said(self, process: str = "shipper") -> list[dict[str, Any]]:
        """The records of a process."""
        lines = (self.folder / f"{process}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def waiting(self) -> int:
        """Messages in the queue, those that a shipper holds among them."""
        return int(self.broker.api("/api/queues/%2F/skerry.logs").get("messages", 0))

    def messages_in(self, queue: str) -> list[list[bytes]]:
        """The records in each message of a queue that nobody takes them from."""
        wanted = {"count": 100_000, "ackmode": "ack_requeue_true", "encoding": "base64"}
        found: Any = self.broker.api(f"/api/queues/%2F/{queue}/get", "POST", wanted)
        return [lines_of(base64.b64decode(one["payload"])) for one in found]

    def arrived(self) -> collections.Counter[str]:
        """How often each record's id is there, in all indices of the stream."""
        status, _ = self.engine.request("POST", f"/{self.stream}/_refresh")
        if status == 404:
            return collections.Counter()
        found: collections.Counter[str] = collections.Counter()
        after: list[Any] = []
        while True:
            question: dict[str, Any] = {
                "size": 5000, "_source": False, "sort": [{"event.id": "asc"}, {"_index": "asc"}],
                "query": {"term": {"service.name": "writer"}},
            }  # fmt: skip
            if after:
                question["search_after"] = after
            hits = answered(self.engine, "POST", f"/{self.stream}/_search", question)["hits"]["hits"]
            if not hits:
                return found
            found.update(hit["_id"] for hit in hits)
            after = hits[-1]["sort"]

    def until_arrived(self, writer: Writer, within_s: float = 60.0) -> None:
        """Each record that was written is there, once."""
        until = time.monotonic() + within_s
        wanted = collections.Counter(writer.written)
        while (found := self.arrived()) != wanted:
            assert time.monotonic() < until, {
                "written": len(wanted),
                "missing": sorted(set(wanted) - set(found))[:5],
                "twice": [name for name, times in found.items() if times > 1][:5],
                "of others": sorted(set(found) - set(wanted))[:5],
            }
            time.sleep(0.3)


def publish(shipping: Shipping, body: bytes) -> None:
    """As whoever may write to the exchange could."""
    message = {"properties": {"delivery_mode": 2}, "routing_key": "", "payload_encoding": "string"}
    shipping.broker.api(
        "/api/exchanges/%2F/skerry.logs/publish", "POST", {**message, "payload": body.decode("latin-1")}
    )
