"""`python -m benchmarks.sink PORT`: takes bulk requests as Elasticsearch does, and keeps nothing of them.

Into it a shipper is measured by itself. It answers for each record, as Elasticsearch does, or with as little of that as
the request asks for (`filter_path`).
"""

from __future__ import annotations

import asyncio
import functools
import sys

_SHORT = b'{"create":{"status":201}}'
_WHOLE = (
    b'{"create":{"_index":".ds-logs-skerry-default-2026.01.01-000001","_id":"0123456789abcdef-1","_version":1,'
    b'"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":1,"_primary_term":1,"status":201}}'
)


@functools.lru_cache(maxsize=4096)
def answer(records: int, short: bool) -> bytes:
    body = b'{"took":1,"errors":false,"items":[' + b",".join([_SHORT if short else _WHOLE] * records) + b"]}"
    head = (
        "HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\nContent-Type: application/vnd.elasticsearch+json;"
        f"compatible-with=8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


taken = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global taken
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.partition(b":")[2])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                ),
                0,
            )
            body = await reader.readexactly(length)
            first = head.partition(b"\r\n")[0]
            if b"/count" in first:
                told = str(taken).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
            else:
                # Of a question, none: nothing is found.
                # The last line break may be missing.
                records = (body.count(b"\n") + 1) // 2 if b"_bulk" in first else 0
                taken += records
                writer.write(answer(records, b"filter_path" in first))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
