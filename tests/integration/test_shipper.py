"""Log records reach a real Elasticsearch, each once, whatever dies on the way; and what is lost is counted."""

from __future__ import annotations

import signal
import sqlite3
import time

import httpx
from support.front import until
from support.shipping import Shipping, Writer, answered, publish

from webfront.logs.records import name_of


def value(shipping: Shipping, column: str) -> int:
    with sqlite3.connect(shipping.folder / "skerry.sqlite") as database:
        row = database.execute(f"SELECT {column} FROM log_loss").fetchone()
    return int(row[0]) if row else 0


def test_records_arrive_and_what_is_none_is_set_aside(shipping: Shipping, writer: Writer) -> None:
    shipping.start()
    writer.write(500)
    for body in (
        b"not JSON",
        b'{"event.id": "x-1"}\r{"delete": {"_id": "y"}}',
        b'{"event.id": "p-1", "@timestamp": 3,',
        # It stays its own line, whatever it says.
        writer.line() + b'\n{"delete": {"_id": "y"}}\n' + writer.line() + b"\n",
        b"\n".join([writer.line(), b'{"event.id": "p-2", "@timestamp": "never"}', writer.line(), b"no JSON", b""]),
    ):
        publish(shipping, body)
    writer.write(500, older=True)
    shipping.until_arrived(writer)
    until(lambda: value(shipping, "refused") == 6)
    until(lambda: shipping.waiting() == 0)
    refused = [one["message"] for one in shipping.said() if one.get("event.action") == "logs.refuse"]
    assert len(refused) == 6
    assert any("more than one line" in one for one in refused)


def test_records_that_come_at_once_share_messages_and_one_alone_does_not_wait(
    shipping: Shipping, writer: Writer
) -> None:
    for _ in range(5):
        writer.write(1)
        writer.arrive()
    assert list(map(len, shipping.messages_in("skerry.logs"))) == [1] * 5
    writer.write(2000)
    writer.arrive()
    found = shipping.messages_in("skerry.logs")
    assert [name_of(line) for message in found for line in message] == writer.written
    assert len(found) - 5 <= 2000 / 20


def test_a_process_that_ends_sends_its_last_records(shipping: Shipping) -> None:
    scheduler = shipping.start("scheduler")
    until(lambda: any(one.get("event.action") == "scheduler.take_over" for one in shipping.said("scheduler")))
    scheduler.send_signal(signal.SIGTERM)
    assert scheduler.wait(30) == 0
    there = {name_of(line) for message in shipping.messages_in("skerry.logs") for line in message}
    assert {one["event.id"] for one in shipping.said("scheduler")} <= there


def test_while_elasticsearch_is_away_nothing_is_lost(shipping: Shipping, writer: Writer) -> None:
    shipper = shipping.start()
    writer.write(100)
    shipping.until_arrived(writer)
    shipping.engine.kill()
    try:
        for _ in range(20):
            writer.write(300)
            time.sleep(0.1)
        until(lambda: any(one.get("event.action") == "shipper.wait" for one in shipping.said()))
        writer.arrive()
        until(lambda: shipping.waiting() > 0)
    finally:
        shipping.engine.start()
    shipping.until_arrived(writer)
    assert shipper.poll() is None


def test_what_was_written_before_a_rollover_is_not_written_again(shipping: Shipping, writer: Writer) -> None:
    """The shipper is stopped in the middle: the server has the records, the broker has no acknowledgement."""
    shipper = shipping.start()
    writer.write(10)
    shipping.until_arrived(writer)
    with sqlite3.connect(shipping.folder / "skerry.sqlite", isolation_level=None) as database:
        # What is to be set aside waits for this; so what stands before it is written and not acknowledged.
        database.execute("BEGIN IMMEDIATE")
        writer.write(200)
        writer.arrive()
        poison = b'{"event.id": "p-3", "@timestamp": "never"}'
        publish(shipping, b"\n".join([writer.line(), poison, writer.line(), b""]))
        writer.write(200)
        until(lambda: sum(shipping.arrived().values()) >= 212)
        shipper.kill()
        shipper.wait()
    answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    shipping.start()
    shipping.until_arrived(writer)
    until(lambda: value(shipping, "refused") == 1)


def test_another_shipper_stands_by(shipping: Shipping, writer: Writer) -> None:
    first, second = shipping.start(), None
    writer.write(10)
    shipping.until_arrived(writer)
    second = shipping.start()
    until(lambda: any("stands by" in one["message"] for one in shipping.said()))
    first.kill()
    writer.write(10)
    shipping.until_arrived(writer)
    second.send_signal(signal.SIGTERM)
    assert second.wait(15) == 0


def test_what_passes_the_bound_is_counted_exactly(shipping: Shipping, writer: Writer) -> None:
    """Without a shipper. The scheduler, which leads, bounds the queue and counts, also one that is killed."""
    settings = {"SKERRY_LOGS_RATE": "10", "SKERRY_LOGS_ABSENCE_S": "30"}
    scheduler = shipping.start("scheduler", **settings)
    queue = "/api/queues/%2F/skerry.logs"
    # A policy may stand there from before.
    until(lambda: shipping.broker.api(queue).get("effective_policy_definition", {}).get("max-length") == 300)
    # Everything that is published from here on, the scheduler's own records among it, is in a queue of the test's too.
    shipping.broker.api("/api/queues/%2F/all", "PUT", {"durable": True})
    shipping.broker.api("/api/bindings/%2F/e/skerry.logs/q/all", "POST", {})
    before = sum(map(len, shipping.messages_in("skerry.logs")))
    writer.write(1500)
    writer.write(500, older=True)
    time.sleep(0.3)
    scheduler.kill()
    scheduler.wait()
    shipping.start("scheduler", **settings)

    def counted() -> bool:
        written, held = (sum(map(len, shipping.messages_in(name))) for name in ("all", "skerry.logs"))
        return held >= 300 and 1000 < value(shipping, "lost") == before + written - held

    try:
        until(counted, 60)
        time.sleep(6)
        assert counted()
    finally:
        shipping.broker.api("/api/queues/%2F/all", "DELETE")


def test_a_shipper_that_is_not_asked_for_says_so(shipping: Shipping) -> None:
    started = shipping.start(SKERRY_LOGS_READER="logstash")
    assert started.wait(20) == 1
    assert "Set it to shipper" in (shipping.folder / "shipper.log").read_text()
    started = shipping.start(SKERRY_ELASTIC_URL="")
    assert started.wait(20) == 2


def test_a_wrong_key_is_told_and_the_records_wait(shipping: Shipping, writer: Writer) -> None:
    key = shipping.folder / "api-key"
    right = key.read_text()
    key.write_text("d3Jvbmc6d3Jvbmc=")
    wrong = shipping.start()
    writer.write(20)
    until(lambda: any("SKERRY_ELASTIC_API_KEY_FILE" in one["message"] for one in shipping.said()))
    wrong.kill()
    wrong.wait()
    key.write_text(right)
    shipping.start()
    shipping.until_arrived(writer)
    assert httpx.get(shipping.engine.url).status_code == 401


def test_without_its_template_nothing_is_made_of_the_streams_name(shipping: Shipping, writer: Writer) -> None:
    everything = answered(shipping.engine, "POST", "/_security/api_key", {"name": "everything"})["encoded"]
    (shipping.folder / "api-key").write_text(everything)
    shipping.start(SKERRY_ELASTIC_STREAM="no-template")
    writer.write(5)
    until(lambda: any("there is no template for no-template" in one["message"] for one in shipping.said()))
    assert shipping.engine.request("GET", "/no-template")[0] == 404
