"""The ceiling: as many messages through pika and a quorum queue, published in a pipeline with confirms, consumed and
acknowledged a hundred at a time, and nothing else: no database, no worker, no outcome."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pika

from benchmarks.lanes.lane import wait_until
from tests.support.rabbitmq import PrivateRabbit

QUEUE = "bench.ceiling"
ACK_EVERY = 100


class CeilingLane:
    """Implements `Lane`."""

    name = "ceiling (pika alone)"

    def __init__(self, rabbit: PrivateRabbit, directory: Path) -> None:
        credentials = pika.PlainCredentials(rabbit.user, rabbit.password)
        self._parameters = pika.ConnectionParameters("127.0.0.1", rabbit.port, credentials=credentials)
        self._received = 0
        self._starts: list[int] = []
        self._single: Any = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._consume, daemon=True)

    def start(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        connection.channel().queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        connection.close()
        self._thread.start()
        self.submit(1)
        wait_until(lambda: self._received == 1, "the first message")

    def submit(self, count: int) -> None:
        """Publish all and wait for all confirms; a single one on a connection that is there already."""
        if count == 1:
            if self._single is None:
                self._single = pika.BlockingConnection(self._parameters).channel()
                self._single.confirm_delivery()
            self._single.basic_publish("", QUEUE, b"x" * 200, pika.BasicProperties(delivery_mode=2))
            return
        confirmed = 0
        connection: pika.SelectConnection

        def on_confirm(frame: Any) -> None:
            nonlocal confirmed
            confirmed = max(confirmed, frame.method.delivery_tag)
            if confirmed >= count:
                connection.close()

        def on_channel(channel: Any) -> None:
            channel.confirm_delivery(on_confirm, callback=lambda _: publish(channel))

        def publish(channel: Any) -> None:
            properties = pika.BasicProperties(delivery_mode=2)
            for _ in range(count):
                channel.basic_publish("", QUEUE, b"x" * 200, properties)

        connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
            on_close_callback=lambda closed, _: closed.ioloop.stop(),
        )
        connection.ioloop.start()

    def outcomes(self) -> int:
        return self._received

    def starts(self) -> list[int]:
        return list(self._starts)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def _consume(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1000)

        def receive(_: Any, method: Any, __: Any, ___: bytes) -> None:
            self._starts.append(time.monotonic_ns())
            self._received += 1
            if self._received % ACK_EVERY == 0:
                channel.basic_ack(method.delivery_tag, multiple=True)

        channel.basic_consume(QUEUE, receive)
        while not self._stopping.is_set():
            connection.process_data_events(time_limit=0.2)
        connection.close()
