"""Webhooks and their deliveries as pages and the API show them. No key but a fresh one, for its owner."""

from __future__ import annotations

import msgspec


class WebhookView(msgspec.Struct, frozen=True):
    id: int
    url: str
    app: str
    """The app whose jobs it is told of; empty for all of its owner's jobs."""
    user: str
    created_at: float
    pending: int
    """Deliveries that are still to be sent,"""
    failed: int
    """and that were given up."""
    failing_since: float | None
    """When its tries began to fail, as long as the newest one did."""
    rest_until: float
    """Until when it is left alone, while it fails."""


class NewWebhook(msgspec.Struct, frozen=True):
    """A webhook with a fresh key, which is shown this once."""

    webhook: WebhookView
    key: str

    def __repr__(self) -> str:
        return f"NewWebhook(webhook={self.webhook!r})"


class DeliveryView(msgspec.Struct, frozen=True):
    id: str
    webhook: int
    job: str | None
    """The job that has ended; None for a test."""
    state: str
    """`pending`, `delivered` or `failed`."""
    created_at: float
    tries: int
    tried_at: float | None
    next_at: float | None
    """When it is tried next, while it is pending."""
    ended_at: float | None
    """When it was delivered or given up."""
    status: int | None
    """The status of the last answer, where there was one."""
    error: str
    """What was wrong with the last try."""
