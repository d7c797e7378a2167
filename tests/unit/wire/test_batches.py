"""A batch of events: what can be read of it is read, and what cannot is told of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wire.batches import UnreadEvent, decode_readable
from wire.messages import Claimed, Events, Finished, MessageError, Submitted, encode

CLAIMED = {"type": "claimed", "job": "j1", "attempt": 1, "at": 1.5}
FINISHED = {"type": "finished", "job": "j1", "attempt": 1, "at": 2.5, "cause": "ok"}


def body(*events: Any, v: int = 1) -> bytes:
    return json.dumps({"type": "events", "v": v, "events": events}).encode()


def test_what_can_be_read_whole_is() -> None:
    for message in (Submitted(job="j1"), Events(events=(Claimed("j1", 1, 1.5),)), Events(events=())):
        assert decode_readable(encode(message)) == (message, ())


@pytest.mark.parametrize(
    ("event", "unread"),
    [
        ({"type": "warmed", "job": "j2", "attempt": 3, "at": 4.0, "x": [{}]}, ("warmed", "j2", 3, 4.0)),
        ({"type": "finished", "job": "j2", "attempt": 3, "at": 4, "cause": "eaten"}, ("finished", "j2", 3, 4.0)),
        ({"type": "log", "job": 5}, ("", "", 0, 0.0)),
        ({"type": "claimed", "job": "j2", "attempt": 3}, ("claimed", "j2", 3, 0.0)),
        ({"type": "w" * 1000}, ("w" * 40, "", 0, 0.0)),
        ({}, ("", "", 0, 0.0)),
        ("claimed", ("", "", 0, 0.0)),
        (None, ("", "", 0, 0.0)),
    ],
)
def test_what_cannot_be_read_is_left_out_alone(event: Any, unread: tuple[Any, ...]) -> None:
    message, left_out = decode_readable(body(CLAIMED, event, FINISHED))
    assert isinstance(message, Events)
    assert [type(one) for one in message.events] == [Claimed, Finished]
    assert [one[:4] for one in left_out] == [unread]
    assert left_out[0].reason


def test_an_event_that_is_not_text_is_left_out_alone() -> None:
    message, left_out = decode_readable(body(CLAIMED, {"type": "claimed", "job": "?"}).replace(b"?", b"\xff"))
    assert message == Events(events=(Claimed("j1", 1, 1.5),))
    assert [type(one) for one in left_out] == [UnreadEvent]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (body(CLAIMED, {"type": "warmed"}, v=2), "version 2 is not known"),
        (body(CLAIMED, {"type": "warmed"})[:-3], "not a message"),
        (b'{"type":"events","v":1,"events":{}}', "events"),
        (b'{"type":"telegram","v":1,"events":[]}', "telegram"),
        (b"\xff", "not a message"),
    ],
)
def test_what_is_no_batch_of_this_version_is_refused_whole(bad: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        decode_readable(bad)
