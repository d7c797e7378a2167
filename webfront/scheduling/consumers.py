"""The consumers of facts, one line each. `webfront.activity.consumers` says what a consumer may do."""

from __future__ import annotations

from functools import partial

from webfront.activity.consumers import Consumer
from webfront.activity.facts import Kind
from webfront.jobs.retention import Superseded
from webfront.logs import activity, printed
from webfront.logs.writing import Carrier
from webfront.settings import Settings
from webfront.webhooks.enqueuing import CONSUMER, Enqueuing, any_webhook


def all_consumers(settings: Settings) -> tuple[Consumer, ...]:
    # From the beginning: a webhook may be older than this consumer's row, and is told of no job that ended before it.
    webhooks = Consumer(CONSUMER, Enqueuing(), frozenset({Kind.JOB_END}), any_webhook, from_the_beginning=True)
    superseded = Consumer("superseded results", Superseded(), frozenset({Kind.ATTEMPT_END}))
    return (webhooks, superseded, *_to_elasticsearch(settings))


def _to_elasticsearch(settings: Settings) -> tuple[Consumer, ...]:
    """Everything that is still kept, where there is one."""
    if not settings.elastic_url:
        return ()
    happened = Carrier(settings, activity.records_of)
    said = Carrier(settings, partial(printed.records_of, share=settings.share_dir))
    return (
        Consumer("activity records", from_the_beginning=True, carry=happened),
        Consumer("apps' lines", kinds=frozenset({Kind.ATTEMPT_END}), from_the_beginning=True, carry=said),
    )
