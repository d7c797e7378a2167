"""The webhooks service: making one, its key, its deliveries, sending again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind, Plain
from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import App, Delivery, Webhook
from webfront.errors import Conflict, InvalidInput
from webfront.jobs.identifiers import Ulids
from webfront.secretbox import SecretBox
from webfront.webhooks import messages, targets
from webfront.webhooks.backoff import DAY_S
from webfront.webhooks.enqueuing import new_delivery
from webfront.webhooks.networks import Network
from webfront.webhooks.queries import (
    delivery_view,
    find_delivery,
    find_webhook,
    get_webhook,
    list_deliveries,
    list_webhooks,
)
from webfront.webhooks.signing import new_key
from webfront.webhooks.states import DeliveryState, change_deliveries
from webfront.webhooks.views import DeliveryView, NewWebhook

MOST_OF_A_USER: Final = 20
_RESOLVE_S: Final = 5.0


class WebhookService:
    def __init__(
        self,
        secrets: SecretBox,
        allowed: Sequence[Network] = (),
        clock: Clock = system_clock,
        resolve: targets.Resolve = targets.resolve,
    ) -> None:
        """`allowed` are the networks beside the public ones to which deliveries may go."""
        self._secrets = secrets
        self._allowed = allowed
        self._clock = clock
        self._resolve = resolve
        self._ids = Ulids(clock)
        # Names that are slow to resolve hold up those who make webhooks, and nobody else.
        self._resolver = ThreadPoolExecutor(4, thread_name_prefix="resolver")

    list = staticmethod(list_webhooks)
    get = staticmethod(get_webhook)
    deliveries = staticmethod(list_deliveries)

    def create(self, account: Account, url: str, *, app: str = "") -> NewWebhook:
        """Make a webhook for the ends of the account's jobs, or of those of one app.

        InvalidInput for a target that cannot be one, Conflict when there are too many, Unavailable without a key file.
        """
        target = targets.read_target(url)
        if app and not App.select().where(App.name == app).exists():
            raise InvalidInput(
                f"There is no app {app}. Without one it is told of all your jobs.", detail={"field": "app"}
            )
        self._check(target)
        key = new_key()
        sealed = self._secrets.seal(key)
        with transaction():
            if Webhook.select().where(Webhook.user == account.id).count() >= MOST_OF_A_USER:
                raise Conflict(f"You have {MOST_OF_A_USER} webhooks, and may not have more. Delete one first.")
            webhook = Webhook.create(user=account.id, url=url, app=app, key=sealed, created_at=self._clock())
            _tell(Kind.WEBHOOK_CREATE, account, webhook.id, app=app)
        return NewWebhook(get_webhook(account, webhook.id), key)

    def delete(self, account: Account, webhook_id: int) -> int:
        """Delete a webhook with its deliveries. Returns how many of them were still to be sent, and now never are."""
        with transaction():
            webhook = find_webhook(account, webhook_id)
            pending = (Delivery.webhook == webhook) & (Delivery.state == DeliveryState.PENDING)
            dropped: int = Delivery.select().where(pending).count()
            Delivery.delete().where(Delivery.webhook == webhook).execute()
            webhook.delete_instance()
            _tell(Kind.WEBHOOK_DELETE, account, webhook_id, dropped=dropped)
        return dropped

    def replace_key(self, account: Account, webhook_id: int) -> NewWebhook:
        """Give a webhook another key, with which it signs from now on. Unavailable without a key file."""
        webhook = find_webhook(account, webhook_id)
        key = new_key()
        with transaction():
            Webhook.update(key=self._secrets.seal(key)).where(Webhook.id == webhook.id).execute()
            _tell(Kind.WEBHOOK_REKEY, account, webhook.id)
        return NewWebhook(get_webhook(account, webhook.id), key)

    def test(self, account: Account, webhook_id: int) -> DeliveryView:
        """Send a delivery that tells of nothing, to see whether it arrives. Conflict while one is under way."""
        webhook = find_webhook(account, webhook_id)
        delivery, now = self._ids.next(), self._clock()
        with transaction():
            tests = (Delivery.webhook == webhook) & Delivery.job.is_null()
            if Delivery.select().where(tests, Delivery.state == DeliveryState.PENDING).exists():
                raise Conflict("A test is on its way already. Send that one again, or wait.")
            row = Delivery.create(
                force_insert=True, **new_delivery(delivery, webhook.id, messages.test(delivery, webhook.id, now), now)
            )
            _wake(webhook.id, now)
            _tell(Kind.WEBHOOK_TEST, account, webhook.id, delivery=delivery)
        return delivery_view(row)

    def again(self, account: Account, delivery_id: str) -> DeliveryView:
        """Send a delivery again, for another day and with the same id, whether or not it arrived; a pending one now."""
        delivery = find_delivery(account, delivery_id)
        now = self._clock()
        with transaction():
            _send_again(now, Delivery.id == delivery.id)
            _wake(delivery.webhook_id, now)
            _tell(Kind.DELIVERY_AGAIN, account, delivery.webhook_id, delivery=delivery.id)
        return delivery_view(find_delivery(account, delivery_id))

    def all_again(self, account: Account, webhook_id: int) -> int:
        """Send every failed delivery of a webhook again. Returns how many."""
        webhook = find_webhook(account, webhook_id)
        now = self._clock()
        with transaction():
            count = _send_again(now, Delivery.webhook == webhook, Delivery.state == DeliveryState.FAILED)
            _wake(webhook.id, now)
            _tell(Kind.WEBHOOK_AGAIN, account, webhook.id, deliveries=count)
        return count

    def _check(self, target: targets.Target) -> None:
        """InvalidInput where no delivery may go to the target, as things are now."""
        waiting = self._resolver.submit(targets.addresses, target, self._allowed, self._resolve)
        try:
            waiting.result(_RESOLVE_S)
        except targets.TargetRefused as refused:
            raise InvalidInput(str(refused), detail={"field": "url"}) from refused
        except TimeoutError as error:
            waiting.cancel()
            raise InvalidInput(
                f"The address of {target.host} was not found within {_RESOLVE_S:.0f} s. Check the name, or try again.",
                detail={"field": "url"},
            ) from error


def _tell(kind: Kind, account: Account, webhook: int, *, app: str = "", **more: Plain) -> None:
    deeds.tell(kind, user=account.name, app=app, data={"webhook": webhook, **more})


def _send_again(now: float, *which: Any) -> int:
    fields = {"tries": 0, "next_at": now, "give_up_at": now + DAY_S, "ended_at": None}
    return change_deliveries(DeliveryState.PENDING, *which, **fields)


def _wake(webhook_id: int, now: float) -> None:
    """Let the webhook's target be tried now, though it may have failed."""
    Webhook.update(rest_until=now).where(Webhook.id == webhook_id, Webhook.rest_until > now).execute()
