"""`python -m benchmarks.lanes.bulk_helpers HELPER`: ships log records as the client's own helpers have one do it.

From the same queue into the same stream under the same ids, acknowledged when the answer is there; by `streaming_bulk`
or `parallel_bulk`. Ends when it is told to (SIGTERM). Settings as the shipper's.
"""

from __future__ import annotations

import collections
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pika
from elasticsearch import Elasticsearch, helpers

from webfront.settings import Settings
from wire import topology
from wire.logs import lines_of

_PREFETCH = 3000
_CHUNK = 1000
_IDLE_S = 0.05


def main(helper: str) -> None:
    settings = Settings.from_environment()
    address = settings.broker_address()
    host, port = address.hosts[0]
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            host, port, address.vhost, pika.PlainCredentials(address.user, address.password), heartbeat=600
        )
    )
    channel = connection.channel()
    channel.basic_qos(prefetch_count=_PREFETCH)
    waiting: collections.deque[tuple[int, bytes]] = collections.deque()

    def receive(_: Any, method: Any, __: Any, body: bytes) -> None:
        waiting.extend((method.delivery_tag, line) for line in lines_of(body))

    channel.basic_consume(topology.LOGS, receive)
    assert settings.elastic_api_key_file is not None
    client = Elasticsearch(settings.elastic_url, api_key=settings.elastic_api_key_file.read_text().strip())
    tags: collections.deque[int] = collections.deque()

    def actions(limit: int) -> Iterator[dict[str, Any]]:
        for _ in range(limit):
            tag, body = waiting.popleft()
            tags.append(tag)
            fields = json.loads(body)
            yield {
                "_op_type": "create",
                "_index": settings.elastic_stream,
                "_id": fields["event.id"],
                "_source": fields,
            }

    call: Any = helpers.streaming_bulk if helper == "streaming_bulk" else helpers.parallel_bulk
    while True:
        connection.process_data_events(time_limit=0)
        if not waiting:
            time.sleep(_IDLE_S)
            continue
        for well, item in call(client, actions(len(waiting)), chunk_size=_CHUNK, raise_on_error=False):
            assert well or item["create"]["status"] == 409, item
        channel.basic_ack(tags[-1], multiple=True)
        tags.clear()


if __name__ == "__main__":
    main(sys.argv[1])
