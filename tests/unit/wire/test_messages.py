"""Messages: what is written is read back; what is not understood is refused with a reason."""

from __future__ import annotations

import json

import pytest

from wire import topology
from wire.messages import (
    AppRef,
    Cause,
    Claimed,
    Events,
    Finished,
    Heartbeat,
    HeldAttempt,
    LogLines,
    Message,
    MessageError,
    Metrics,
    Order,
    OutputFile,
    Submitted,
    Usage,
    decode,
    encode,
)

METRICS = Metrics(cpu_count=2, free_cpu_percent=50.0, memory_gb=8.0, free_memory_gb=4.0, free_memory_percent=50.0)


@pytest.mark.parametrize(
    "message",
    [
        Submitted(job="j1"),
        Order(job="j1", attempt=2, app=AppRef("digits", "ab" * 32), input="inputs/j1/a.csv", parameters={"k": "ä\n"}),
        Events(
            events=(
                Claimed("j1", 1, 1.5),
                LogLines("j1", 1, 2.0, 1, ("one", "two")),
                Finished("j1", 1, 3.0, Cause.OK, outputs=(OutputFile("p.csv", 3, "00"),), usage=Usage(1, 2, 3)),
            )
        ),
        Heartbeat(at=1.0, metrics=METRICS, held=(HeldAttempt("j1", 1),), slots=2),
    ],
)
def test_what_is_written_is_read_back(message: Message) -> None:
    assert decode(encode(message)) == message


def test_an_unknown_field_is_tolerated() -> None:
    body = json.loads(encode(Submitted(job="j1")))
    assert decode(json.dumps({**body, "colour": "blue"}).encode()) == Submitted(job="j1")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe", "not a message"),
        (b"{", "not a message"),
        (b"[]", "not a message"),
        (b'{"type":"submitted","v":2,"job":"j1"}', "version 2 is not known"),
        (b'{"type":"telegram","v":7}', "version 7 is not known"),
        (b'{"type":"telegram","v":1}', "telegram"),
        (b'{"type":"submitted","v":1,"job":5}', "job"),
        (b'{"type":"submitted","v":1}', "job"),
        (b'{"type":"submitted","v":1,"job":"\xff"}', "not a message"),
        (b'{"type":"submitted","v":1,"job":"j1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not a message"),
        (b'{"type":"submitted","v":' + b"2" * 4000 + b',"job":"j1"}', "version 2{20} is not known"),
    ],
)
def test_what_is_not_understood_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        decode(body)


def test_a_nodes_broker_user_names_the_node() -> None:
    assert topology.node_of_user(topology.node_user("alpha")) == "alpha"
    assert topology.node_of_user("skerry") is None
    assert topology.node_of_user(None) is None
