"""Webhooks: who is told of a job's end, and what became of telling them."""

from __future__ import annotations

import bottle

from webfront.api.bodies import Body, query_number, query_text, read_json, reply
from webfront.api.operations import Operation
from webfront.web.guard import identity
from webfront.web.services import Services
from webfront.webhooks.views import DeliveryView, WebhookView


class WebhookBody(Body):
    url: str
    app: str = ""


def register(app: bottle.Bottle, services: Services) -> None:
    webhooks = services.webhooks

    @app.get(
        "/api/v1/webhooks", operation=Operation("The webhooks, oldest first", {200: {"webhooks": list[WebhookView]}})
    )
    def index() -> bytes:
        return reply(webhooks=webhooks.list(identity().account))

    @app.post(
        "/api/v1/webhooks",
        action="webhook.create",
        operation=Operation(
            "Have an address told of the ends of your jobs, or of one app's; `key` is shown this once",
            {201: {"webhook": WebhookView, "key": str}},
            json=WebhookBody,
        ),
    )
    def create() -> bytes:
        body = read_json(WebhookBody)
        made = webhooks.create(identity().account, body.url, app=body.app)
        return reply(code=201, webhook=made.webhook, key=made.key)

    @app.get("/api/v1/webhooks/<webhook_id:int>", operation=Operation("A webhook", {200: {"webhook": WebhookView}}))
    def show(webhook_id: int) -> bytes:
        return reply(webhook=webhooks.get(identity().account, webhook_id))

    @app.delete(
        "/api/v1/webhooks/<webhook_id:int>",
        action="webhook.delete",
        operation=Operation(
            "Delete a webhook with its deliveries; `dropped` is how many of them will now never be sent",
            {200: {"dropped": int}},
        ),
    )
    def delete(webhook_id: int) -> bytes:
        return reply(dropped=webhooks.delete(identity().account, webhook_id))

    @app.post(
        "/api/v1/webhooks/<webhook_id:int>/key",
        action="webhook.rekey",
        operation=Operation(
            "Give a webhook a new key, with which it signs from now on; `key` is shown this once",
            {200: {"webhook": WebhookView, "key": str}},
        ),
    )
    def rekey(webhook_id: int) -> bytes:
        made = webhooks.replace_key(identity().account, webhook_id)
        return reply(webhook=made.webhook, key=made.key)

    @app.post(
        "/api/v1/webhooks/<webhook_id:int>/test",
        action="webhook.test",
        operation=Operation("Send a delivery that tells of nothing", {202: {"delivery": DeliveryView}}),
    )
    def test(webhook_id: int) -> bytes:
        return reply(code=202, delivery=webhooks.test(identity().account, webhook_id))

    @app.get(
        "/api/v1/webhooks/<webhook_id:int>/deliveries",
        operation=Operation(
            "A webhook's deliveries, newest first",
            {200: {"deliveries": list[DeliveryView]}},
            query={
                "state": "only those in this state: pending, delivered or failed",
                "limit": "how many, 50 by default and 200 at most",
                "before": "the id of the last delivery of the page before",
            },
        ),
    )
    def deliveries(webhook_id: int) -> bytes:
        found = webhooks.deliveries(
            identity().account,
            webhook_id,
            state=query_text("state"),
            limit=query_number("limit", 50, least=1),
            before=query_text("before"),
        )
        return reply(deliveries=found)

    @app.post(
        "/api/v1/webhooks/<webhook_id:int>/again",
        action="webhook.again",
        operation=Operation("Send every failed delivery of a webhook again", {202: {"deliveries": int}}),
    )
    def all_again(webhook_id: int) -> bytes:
        return reply(code=202, deliveries=webhooks.all_again(identity().account, webhook_id))

    @app.post(
        "/api/v1/deliveries/<delivery_id>/again",
        action="delivery.again",
        operation=Operation(
            "Send a delivery again, with the same id, whether or not it arrived; a pending one now",
            {202: {"delivery": DeliveryView}},
        ),
    )
    def again(delivery_id: str) -> bytes:
        return reply(code=202, delivery=webhooks.again(identity().account, delivery_id))
