"""The consumer of jobs' ends: a delivery for each webhook that wants to know, in the transaction that moves its cursor.

So a delivery stands as soon as the fact counts as read, and stays until it is delivered or given up, whatever is
killed: before the commit the facts are read again, after it `webfront.webhooks.delivering` finds the delivery. A
webhook has at most one delivery of a job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import peewee

from webfront.activity.facts import Fact
from webfront.clock import Clock, system_clock
from webfront.database.models import App, AppVersion, Delivery, Job, Webhook
from webfront.database.rows import value
from webfront.jobs.identifiers import Ulids
from webfront.webhooks.backoff import DAY_S
from webfront.webhooks.messages import job_end
from webfront.webhooks.states import DeliveryState

CONSUMER: Final = "webhooks"
"""The consumer's name."""
_AT_ONCE: Final = 100
"""Rows in a statement."""


class Enqueuing:
    """The consumer's function: `Consumer(CONSUMER, Enqueuing(), frozenset({Kind.JOB_END}), wanted=any_webhook)`."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._ids = Ulids(clock)

    def __call__(self, facts: Sequence[Fact]) -> None:
        for rows in peewee.chunked(self._rows(facts), _AT_ONCE):
            Delivery.insert_many(rows).on_conflict_ignore().execute()

    def _rows(self, facts: Sequence[Fact]) -> Iterator[dict[str, Any]]:
        for webhook, job in _wanted({fact.job for fact in facts}):
            delivery, now = self._ids.next(), self._clock()
            yield new_delivery(delivery, webhook, job_end(delivery, job), now, job=job.id)


def any_webhook() -> bool:
    """Whether there is a webhook at all."""
    return value("SELECT id FROM webhook LIMIT 1") is not None


def new_delivery(delivery: str, webhook: int, body: str, now: float, *, job: str | None = None) -> dict[str, Any]:
    """The row of a delivery that is due now."""
    return {
        "id": delivery,
        "webhook": webhook,
        "job": job,
        "body": body,
        "state": DeliveryState.PENDING.value,
        "created_at": now,
        "next_at": now,
        "give_up_at": now + DAY_S,
    }


def _wanted(jobs: Iterable[str]) -> Iterator[tuple[int, Job]]:
    """These jobs with the webhooks that want to know of each. None that was made after the job's end does."""
    query: Any = (
        Webhook.select(Webhook.id, Job, AppVersion, App)
        .join(Job, on=(Job.user == Webhook.user), attr="ended")
        .join(AppVersion)
        .join(App)
        .where(Job.id.in_(list(jobs)), Webhook.app.in_(("", App.name)), Webhook.created_at <= Job.finished_at)
        .order_by(Job.finished_at, Job.id, Webhook.id)
    )
    for webhook in query:
        yield webhook.id, webhook.ended
