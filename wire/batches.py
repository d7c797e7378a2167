"""Reading a batch of events of which some may be of a kind that this side does not know.

A whole batch is decoded at once; only one that cannot be is taken apart, so what is well pays nothing. Each event is
then read alone, and one that cannot be read is left out and told of as an `UnreadEvent`.

What such an event said is lost, but not whose it was: where its `job` and `attempt` can be read, the receiver knows
that the sender holds, or held, that attempt. docs/compatibility.md says what the scheduler makes of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from wire.messages import UNREADABLE, VERSION, AnyMessage, Event, Events, MessageError, decode

_LONGEST_KIND: Final = 40


class UnreadEvent(NamedTuple):
    """An event that cannot be read here. What cannot be told of it is empty, 0."""

    kind: str
    job: str
    attempt: int
    at: float
    reason: str


class _Batch(msgspec.Struct, frozen=True, tag="events", tag_field="type"):
    v: int
    events: tuple[msgspec.Raw, ...]


class _Envelope(msgspec.Struct, frozen=True):
    """What each event has, of whatever kind."""

    type: str = ""
    job: str = ""
    attempt: int = 0
    at: float = 0.0


_batches = msgspec.json.Decoder(_Batch)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_envelopes = msgspec.json.Decoder(_Envelope)


def decode_readable(body: bytes) -> tuple[AnyMessage, tuple[UnreadEvent, ...]]:
    """The message in these bytes, and those of its events that are left out of it.

    Raises `MessageError` where not even the message can be read.
    """
    try:
        return decode(body), ()
    except MessageError:
        raw = _taken_apart(body)
        if raw is None:
            raise
    read: list[Event] = []
    unread: list[UnreadEvent] = []
    for one in raw:
        try:
            read.append(_events.decode(one))
        except UNREADABLE as error:
            unread.append(_what_is_known_of(one, str(error)))
    return Events(events=tuple(read)), tuple(unread)


def _taken_apart(body: bytes) -> tuple[msgspec.Raw, ...] | None:
    """The events of a batch of this version, none of them read; None for any other message."""
    try:
        batch = _batches.decode(body)
    except UNREADABLE:
        return None
    return batch.events if batch.v == VERSION else None


def _what_is_known_of(raw: msgspec.Raw, reason: str) -> UnreadEvent:
    try:
        envelope = _envelopes.decode(raw)
    except UNREADABLE:
        return UnreadEvent("", "", 0, 0.0, reason)
    return UnreadEvent(envelope.type[:_LONGEST_KIND], envelope.job, envelope.attempt, envelope.at, reason)
