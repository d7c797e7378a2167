"""The consumers of facts, one line each. `webfront.activity.consumers` says what a consumer may do."""

from __future__ import annotations

from webfront.activity.consumers import Consumer
from webfront.activity.facts import Kind
from webfront.settings import Settings
from webfront.webhooks.enqueuing import Enqueuing, any_webhook


def all_consumers(settings: Settings) -> tuple[Consumer, ...]:
    # From the beginning: a webhook may be older than this consumer's row, and is told of no job that ended before it.
    return (Consumer("webhooks", Enqueuing(), frozenset({Kind.JOB_END}), any_webhook, from_the_beginning=True),)
