"""The pages of the webhooks: all, make one, one with its deliveries. A key is shown once, on the page that made it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import bottle

from webfront.errors import SkerryError
from webfront.pages.rendering import refused, render, see_other
from webfront.web import guard
from webfront.web.navigation import Nav
from webfront.web.services import Services
from webfront.webhooks.states import DeliveryState
from webfront.webhooks.views import DeliveryView, NewWebhook

_PAGE = 50


def register(app: bottle.Bottle, services: Services) -> None:
    webhooks = services.webhooks

    @app.get("/webhooks", nav=Nav(60, "Webhooks"))
    def listing() -> str:
        return render("webhooks.html", webhooks=webhooks.list(guard.identity().account))

    @app.get("/webhooks/new")
    def form() -> str:
        chosen = bottle.request.query.getunicode("app") or ""
        return render("webhook_new.html", error=None, typed={"url": "", "app": chosen}, apps=_app_names(services))

    @app.post("/webhooks/new", action="webhook.create")
    def create() -> str:
        forms = bottle.request.forms
        typed = {name: (forms.getunicode(name) or "").strip() for name in ("url", "app")}
        try:
            made = webhooks.create(guard.identity().account, typed["url"], app=typed["app"])
        except SkerryError as error:
            return refused(error, "webhook_new.html", typed=typed, apps=_app_names(services))
        bottle.response.status = 201
        return _key_page(made, new=True)

    @app.get("/webhooks/<webhook_id:int>")
    def webhook(webhook_id: int) -> str:
        account, query = guard.identity().account, bottle.request.query
        state, before = query.getunicode("state") or "", query.getunicode("before") or ""
        state = state if state in set(DeliveryState) else ""
        found = webhooks.deliveries(account, webhook_id, state=state or None, limit=_PAGE + 1, before=before or None)
        return render(
            "webhook.html",
            webhook=webhooks.get(account, webhook_id),
            deliveries=found[:_PAGE],
            **_navigation(webhook_id, state, before, found),
        )

    @app.post("/webhooks/<webhook_id:int>/key", action="webhook.rekey")
    def rekey(webhook_id: int) -> str:
        return _key_page(webhooks.replace_key(guard.identity().account, webhook_id), new=False)

    @app.post("/webhooks/<webhook_id:int>/test", action="webhook.test")
    def test(webhook_id: int) -> bottle.HTTPResponse:
        return see_other(f"/webhooks/{webhooks.test(guard.identity().account, webhook_id).webhook}")

    @app.post("/webhooks/<webhook_id:int>/again", action="webhook.again")
    def all_again(webhook_id: int) -> bottle.HTTPResponse:
        webhooks.all_again(guard.identity().account, webhook_id)
        return see_other(f"/webhooks/{webhook_id}")

    @app.post("/webhooks/<webhook_id:int>/delete", action="webhook.delete")
    def delete(webhook_id: int) -> bottle.HTTPResponse:
        webhooks.delete(guard.identity().account, webhook_id)
        return see_other("/webhooks")

    @app.post("/deliveries/<delivery_id>/again", action="delivery.again")
    def again(delivery_id: str) -> bottle.HTTPResponse:
        return see_other(f"/webhooks/{webhooks.again(guard.identity().account, delivery_id).webhook}")


def _key_page(made: NewWebhook, *, new: bool) -> str:
    return render("webhook_key.html", webhook=made.webhook, key=made.key, new=new)


def _app_names(services: Services) -> list[str]:
    return [one.name for one in services.apps.list()]


def _navigation(webhook_id: int, state: str, before: str, found: Sequence[DeliveryView]) -> dict[str, object]:
    """The list's links: by state, on to older ones, back; and what its page polls."""

    def link(**query: str) -> str:
        wanted = {key: value for key, value in query.items() if value}
        return f"/webhooks/{webhook_id}" + (f"?{urlencode(wanted)}" if wanted else "")

    polled = urlencode({"limit": _PAGE} | ({"state": state} if state else {}))
    at = f"/api/v1/webhooks/{webhook_id}"
    return {
        "state": state,
        "filters": [("all", link()), *((one.value, link(state=one.value)) for one in DeliveryState)],
        "newest": link(state=state) if before else "",
        "older": link(state=state, before=found[_PAGE - 1].id) if len(found) > _PAGE else "",
        "poll": None if before else f"{at} {at}/deliveries?{polled}",
    }
