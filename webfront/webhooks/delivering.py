"""The chore that sends what is due. It runs as long as something is, and many targets are served at once.

The order of things for one try, each in a transaction of the leading scheduler's term:

1. the delivery's row is written as if the try had failed: one more try, and when the next one is due;
2. the POST;
3. what came of it.

Killed before 1, the delivery is still due. Killed after 1, before, during or after the POST, it is sent again when the
row says so, with the same id: at least once, and by its id a receiver knows a second one. A scheduler that no longer
leads gets no further than 1. Where the database takes no writes nothing is sent, so nothing is sent over and over.

A target that is slow or gone holds up no other: each webhook has a few tries under way at most, one while it fails, and
so has each owner.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import peewee

from webfront.activity.term import Term
from webfront.database.models import Delivery, Webhook
from webfront.database.rows import rows
from webfront.errors import SkerryError
from webfront.secretbox import SecretBox, Unreadable
from webfront.webhooks.backoff import next_try, pause, rest
from webfront.webhooks.networks import Network
from webfront.webhooks.signing import signed_headers
from webfront.webhooks.states import DeliveryState, change_deliveries
from webfront.webhooks.targets import read_target

if TYPE_CHECKING:
    from webfront.webhooks.sending import Sender, Sent

_log = logging.getLogger(__name__)

AT_ONCE: Final = 16
AT_ONCE_OF_OWNER: Final = 8
AT_ONCE_OF_WEBHOOK: Final = 4
_LOOK_EVERY_S: Final = 1.0

# Asked each second, hence in SQL of our own: to build the statement would cost more than to run it.
_WAITING: Final = (
    "SELECT w.id, w.user_id AS owner, w.failures FROM webhook w WHERE w.rest_until <= ? AND EXISTS "
    "(SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = ? AND d.next_at <= ?)"
)


class Waiting(NamedTuple):
    """A webhook with something due."""

    id: int
    owner: int
    failures: int


class Due(NamedTuple):
    """A delivery about to be tried."""

    id: str
    webhook: int
    owner: int
    url: str
    key: str
    failures: int
    """Of the webhook, before this try."""
    body: str
    tries: int
    """This one included."""
    give_up_at: float


def shares(waiting: Sequence[Waiting], under_way: Iterable[tuple[int, int]], room: int = AT_ONCE) -> dict[int, int]:
    """How many more tries each webhook may begin, by turns. `under_way`: the webhook and owner of each try there is."""
    of_webhook, of_owner = Counter[int](), Counter[int]()
    for webhook, owner in under_way:
        of_webhook[webhook] += 1
        of_owner[owner] += 1
        room -= 1
    given = Counter[int]()
    for _ in range(AT_ONCE_OF_WEBHOOK):
        for one in waiting:
            most = 1 if one.failures else AT_ONCE_OF_WEBHOOK
            if room > 0 and of_webhook[one.id] < most and of_owner[one.owner] < AT_ONCE_OF_OWNER:
                given[one.id] += 1
                of_webhook[one.id] += 1
                of_owner[one.owner] += 1
                room -= 1
    return dict(given)


class Delivering:
    """The chore's function: `Chore("webhooks", 1.0, Delivering(...))`."""

    def __init__(
        self,
        secrets: SecretBox,
        allowed: Sequence[Network] = (),
        *,
        sender: Sender | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`allowed` are the networks beside the public ones to which deliveries may go."""
        self._secrets = secrets
        self._allowed = allowed
        self._sender = sender
        self._chance = chance

    def __call__(self, term: Term) -> str:
        if not _waiting(term.now()):
            return ""
        if self._sender is None:
            # Only now: it imports an HTTP client, which takes memory that most schedulers never need.
            from webfront.webhooks.sending import Sender

            self._sender = Sender(self._allowed)
        return asyncio.run(_Round(term, self._secrets, self._sender, self._chance).run())


class _Round:
    """Tries until nothing is due or under way, or the term is over."""

    def __init__(self, term: Term, secrets: SecretBox, sender: Sender, chance: Callable[[], float]) -> None:
        self._term = term
        self._secrets = secrets
        self._sender = sender
        self._chance = chance
        # As many threads as tries: none waits for the resolver of another.
        self._resolver = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="resolver")
        self._under_way: dict[asyncio.Task[Sent], Due] = {}
        self._counted = Counter[bool]()

    async def run(self) -> str:
        try:
            while True:
                if not self._term.over.is_set():
                    for due in self._begin():
                        self._under_way[asyncio.create_task(self._try(due))] = due
                if not self._under_way:
                    break
                done, _ = await asyncio.wait(
                    self._under_way, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
                self._record([(self._under_way.pop(task), task.result()) for task in done])
        finally:
            self._resolver.shutdown(wait=False, cancel_futures=True)
        return f"{self._counted[True]} arrived, {self._counted[False]} tries failed"

    def _begin(self) -> list[Due]:
        """Choose what is tried next, and write it down as tried."""
        now = self._term.now()
        waiting = _waiting(now)
        first = int(self._chance() * len(waiting))
        waiting = waiting[first:] + waiting[:first]
        mine = self._under_way.values()
        given = shares(waiting, [(due.webhook, due.owner) for due in mine])
        if not given:
            return []
        under_way = {due.id for due in mine}
        with self._term.transaction():
            found = [due for webhook, count in given.items() for due in _due(webhook, count, now, under_way)]
            for due in found:
                Delivery.update(
                    tries=due.tries,
                    tried_at=now,
                    next_at=now + pause(due.tries, self._chance()),
                    status=None,
                    error="The scheduler ended before it knew what came of this try.",
                ).where(Delivery.id == due.id).execute()
        return found

    async def _try(self, due: Due) -> Sent:
        from webfront.webhooks.sending import Sent

        body = due.body.encode()
        try:
            headers = signed_headers(self._secrets.open(due.key), due.id, body, self._term.now())
            return await self._sender.post(read_target(due.url), headers, body, self._resolver)
        except Unreadable as error:
            return Sent(error=f"It cannot be signed: {error}. Make a new key for this webhook.")
        except SkerryError as error:
            return Sent(error=f"It cannot be signed: {error}")
        except Exception as error:
            # One delivery that nobody foresaw must not keep the others from being sent.
            _log.exception("delivery %s broke", due.id)
            return Sent(error=f"Something went wrong here: {type(error).__name__}. It is in the log.")

    def _record(self, outcomes: Sequence[tuple[Due, Sent]]) -> None:
        now = self._term.now()
        with self._term.transaction():
            for due, sent in outcomes:
                if sent.arrived:
                    _arrived(due, sent, now)
                else:
                    self._failed(due, sent, now)
        for due, sent in outcomes:
            self._counted[sent.arrived] += 1
            _tell(due, sent)

    def _failed(self, due: Due, sent: Sent, now: float) -> None:
        again = next_try(due.tries, now, due.give_up_at, self._chance())
        told = {"status": sent.status, "error": sent.error[:500]}
        if again is not None:
            # Not where its owner has asked for it anew meanwhile: then it has no tries.
            Delivery.update(next_at=again, **told).where(
                Delivery.id == due.id, Delivery.state == DeliveryState.PENDING, Delivery.tries == due.tries
            ).execute()
        else:
            # Those whose day is over too share this try: their target is not troubled for each of them once more.
            under_way = [one.id for one in self._under_way.values()]
            which = (Delivery.webhook == due.webhook, Delivery.give_up_at <= now, Delivery.id.not_in(under_way))
            change_deliveries(DeliveryState.FAILED, *which, ended_at=now, **told)
        # Tries that were under way together count as one failure.
        Webhook.update(
            failures=due.failures + 1,
            failing_since=peewee.fn.COALESCE(Webhook.failing_since, now),
            rest_until=now + rest(due.failures + 1, self._chance()),
        ).where(Webhook.id == due.webhook, Webhook.failures == due.failures).execute()


def _waiting(now: float) -> list[Waiting]:
    """The webhooks that have something due and are not at rest."""
    return rows(Waiting, _WAITING, now, DeliveryState.PENDING.value, now)


def _due(webhook: int, count: int, now: float, under_way: set[str]) -> list[Due]:
    """The next deliveries of a webhook, those first that have been due for longest."""
    query = (
        Delivery.select(Delivery, Webhook)
        .join(Webhook)
        .where(Delivery.webhook == webhook, Delivery.state == DeliveryState.PENDING, Delivery.next_at <= now)
        .order_by(Delivery.next_at, Delivery.id)
        .limit(count + len(under_way))
    )
    next_ones = itertools.islice((row for row in query if row.id not in under_way), count)
    return [
        Due(
            row.id,
            row.webhook.id,
            row.webhook.user_id,
            row.webhook.url,
            row.webhook.key,
            row.webhook.failures,
            row.body,
            row.tries + 1,
            row.give_up_at,
        )
        for row in next_ones
    ]


def _arrived(due: Due, sent: Sent, now: float) -> None:
    change_deliveries(DeliveryState.DELIVERED, Delivery.id == due.id, ended_at=now, status=sent.status, error="")
    Webhook.update(failures=0, failing_since=None, rest_until=0.0).where(
        Webhook.id == due.webhook, Webhook.failures > 0
    ).execute()


def _tell(due: Due, sent: Sent) -> None:
    fields: Mapping[str, object] = {
        "event.action": "webhook.deliver",
        "event.outcome": "success" if sent.arrived else "failure",
        "skerry.delivery": due.id,
        "skerry.webhook": due.webhook,
    }
    if sent.arrived:
        _log.info("delivery %s arrived", due.id, extra=fields)
    else:
        _log.info("delivery %s failed, try %d: %s", due.id, due.tries, sent.error, extra=fields)
