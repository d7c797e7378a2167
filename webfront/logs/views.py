"""What the page of the platform's activity and the API show of log records."""

from __future__ import annotations

import msgspec


class RefusedView(msgspec.Struct, frozen=True):
    """A log record that was set aside."""

    name: str
    """Its id; of one that has none, a checksum."""
    at: float
    reason: str
    body: str
    """Its beginning."""


class LogsView(msgspec.Struct, frozen=True):
    """Who takes log records to Elasticsearch, and what did not arrive since the platform was set up."""

    reader: str
    """`none`, `shipper` or `logstash`."""
    bound: int
    """How many records the queue holds at least."""
    lost: int
    """How many passed that bound while nobody took them."""
    lost_at: float | None
    refused: int
    """How many cannot be written, and were set aside."""
    refused_at: float | None
    newest_refused: tuple[RefusedView, ...]
