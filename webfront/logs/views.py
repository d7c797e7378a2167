"""What pages and the API show of log records: of those that were found, and of those that did not arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from webfront.logs.questions import LogQuestion


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


class RecordView(msgspec.Struct, frozen=True):
    """A log record that was found. What it does not have is empty."""

    id: str
    at: float
    level: str
    process: str
    dataset: str
    """Of a process's own record empty."""
    node: str
    job: str
    app: str
    user: str
    message: str
    fields: dict[str, Any]
    """All that the account may see, by dotted names."""

    @classmethod
    def of(cls, name: str, at: float, fields: Mapping[str, Any]) -> RecordView:
        def text(field: str) -> str:
            value = fields.get(field, "")
            return value if isinstance(value, str) else str(value)

        return cls(
            id=name,
            at=at,
            level=text("log.level"),
            process=text("service.name"),
            dataset=text("event.dataset"),
            node=text("skerry.node"),
            job=text("skerry.job"),
            app=text("skerry.app"),
            user=text("user.name"),
            message=text("message"),
            fields=dict(fields),
        )


class Found(msgspec.Struct, frozen=True):
    """A question as it was understood, and a page of the records that answer it, the newest first."""

    question: LogQuestion
    records: tuple[RecordView, ...]
    older: str
    """Pass it as `before` for those that are older; empty where there are none,"""
    newer: str
    """and as `after` for those that are newer, also for those that come in later; empty where nothing was found."""
    only_newest_jobs: int | None = None
    """What processes tell was looked for of so many jobs of the account, the newest. None where it was of all."""
