"""What pages and the API show of webhooks and deliveries. A user sees their own, an administrator all."""

from __future__ import annotations

from typing import Any, Final

from peewee import fn

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.database.models import LARGEST_NUMBER, Delivery, User, Webhook
from webfront.errors import InvalidInput, NotFound
from webfront.jobs.identifiers import PATTERN
from webfront.webhooks.states import DeliveryState
from webfront.webhooks.views import DeliveryView, WebhookView

MOST_DELIVERIES: Final = 200


def list_webhooks(account: Account) -> tuple[WebhookView, ...]:
    """One's own, an administrator's all, oldest first."""
    query = _webhooks().order_by(Webhook.id)
    if not may(account, Act.SEE_EVERY_WEBHOOK):
        query = query.where(Webhook.user == account.id)
    found = list(query)
    counts = _counts([webhook.id for webhook in found])
    return tuple(_webhook_view(webhook, counts) for webhook in found)


def get_webhook(account: Account, webhook_id: int) -> WebhookView:
    """One webhook. NotFound also for another's."""
    webhook = find_webhook(account, webhook_id)
    return _webhook_view(webhook, _counts([webhook.id]))


def find_webhook(account: Account, webhook_id: int) -> Webhook:
    """The row. NotFound, and no other answer for somebody else's."""
    webhook = _webhooks().where(Webhook.id == webhook_id).first() if webhook_id <= LARGEST_NUMBER else None
    if webhook is None or not may(account, Act.USE_WEBHOOK, webhook):
        raise NotFound("There is no such webhook.")
    found: Webhook = webhook
    return found


def list_deliveries(
    account: Account, webhook_id: int, *, state: str | None = None, limit: int = 50, before: str | None = None
) -> tuple[DeliveryView, ...]:
    """A webhook's deliveries, newest first. `before` is the id of the last one of a page."""
    webhook = find_webhook(account, webhook_id)
    query = Delivery.select().where(Delivery.webhook == webhook).order_by(Delivery.id.desc())
    if state:
        if state not in set(DeliveryState):
            raise InvalidInput(f"There is no delivery state {state}; there are: {', '.join(DeliveryState)}.")
        query = query.where(Delivery.state == state)
    if before:
        query = query.where(Delivery.id < before)
    return tuple(delivery_view(row) for row in query.limit(max(1, min(limit, MOST_DELIVERIES))))


def find_delivery(account: Account, delivery_id: str) -> Delivery:
    """The row. NotFound also for a delivery of another's webhook."""
    found = None
    if PATTERN.fullmatch(delivery_id):
        found = Delivery.select(Delivery, Webhook).join(Webhook).where(Delivery.id == delivery_id).first()
    if found is None or not may(account, Act.USE_WEBHOOK, found.webhook):
        raise NotFound("There is no such delivery. Those that arrived are kept for a week, failed ones for a month.")
    delivery: Delivery = found
    return delivery


def delivery_view(row: Delivery) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        webhook=row.webhook_id,
        job=row.job,
        state=row.state,
        created_at=row.created_at,
        tries=row.tries,
        tried_at=row.tried_at,
        next_at=row.next_at if row.state == DeliveryState.PENDING else None,
        ended_at=row.ended_at,
        status=row.status,
        error=row.error,
    )


def _webhooks() -> Any:
    return Webhook.select(Webhook, User).join(User)


def _counts(webhooks: list[int]) -> dict[tuple[int, str], int]:
    """How many deliveries of these webhooks are in each state that asks for attention."""
    query: Any = (
        Delivery.select(Delivery.webhook, Delivery.state, fn.COUNT(Delivery.id))
        .where(Delivery.webhook.in_(webhooks), Delivery.state.in_((DeliveryState.PENDING, DeliveryState.FAILED)))
        .group_by(Delivery.webhook, Delivery.state)
    )
    return {(webhook, state): count for webhook, state, count in query.tuples()}


def _webhook_view(webhook: Webhook, counts: dict[tuple[int, str], int]) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        app=webhook.app,
        user=webhook.user.name,
        created_at=webhook.created_at,
        pending=counts.get((webhook.id, DeliveryState.PENDING), 0),
        failed=counts.get((webhook.id, DeliveryState.FAILED), 0),
        failing_since=webhook.failing_since,
        rest_until=webhook.rest_until,
    )
