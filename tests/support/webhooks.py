"""For tests of webhooks: two users, apps, a key file, jobs that end, and a time that stands still until it is moved."""

from __future__ import annotations

import io
import ipaddress
from concurrent.futures import Executor
from pathlib import Path

from cryptography.fernet import Fernet

from webfront.accounts.users import create_user
from webfront.accounts.views import Account
from webfront.activity.facts import Fact
from webfront.activity.term import Term
from webfront.apps.service import AppService
from webfront.database.connection import transaction
from webfront.database.models import AppVersion, Delivery, Job
from webfront.jobs.identifiers import Ulids
from webfront.secretbox import SecretBox
from webfront.webhooks.delivering import Delivering
from webfront.webhooks.enqueuing import Enqueuing
from webfront.webhooks.sending import Sender, Sent
from webfront.webhooks.service import WebhookService
from webfront.webhooks.targets import Target

LOOPBACK = (ipaddress.ip_network("127.0.0.1"),)


class Time:
    now = 100_000.0

    def __call__(self) -> float:
        return self.now


class Counting(Sender):
    """Sends as ever, and tells a test what is under way."""

    under_way = 0
    most = 0

    async def post(self, target: Target, headers: dict[str, str], body: bytes, resolver: Executor) -> Sent:  # type: ignore[override]
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await super().post(target, headers, body, resolver)
        finally:
            self.under_way -= 1


class World:
    """Jobs that end, webhooks that want to know, and the chore that tells them."""

    def __init__(self, directory: Path, time: Time) -> None:
        self.time = time
        self.key_file = directory / "secrets.key"
        self.key_file.write_bytes(Fernet.generate_key())
        self.key_file.chmod(0o600)
        self.secrets = SecretBox(self.key_file)
        self.ada = create_user("ada", "correct horse", is_admin=True)
        self.bob = create_user("bob", "correct horse")
        self.webhooks = WebhookService(self.secrets, LOOPBACK, time)
        self.sender = Counting(LOOPBACK, deadline_s=1.0)
        self.deliver = Delivering(self.secrets, sender=self.sender, chance=lambda: 0.5)
        self.enqueue = Enqueuing(time)
        self.term = Term(0, time)
        self._apps = AppService(directory / "share", 2, time)
        self._ids = Ulids(time)

    def webhook(self, account: Account, url: str, app: str = "") -> int:
        return self.webhooks.create(account, url, app=app).webhook.id

    def app(self, name: str) -> None:
        self._apps.upload(self.ada, io.BytesIO(b""), file_name=f"{name}.py")

    def ends(self, account: Account, *, app: str = "noop", count: int = 1, **fields: object) -> list[str]:
        """Jobs that have ended just now, and the word of it."""
        if not AppVersion.select().exists():
            self.app("noop")
        version = next(row for row in AppVersion.select() if row.app.name == app)
        jobs = [self._ids.next() for _ in range(count)]
        for job in jobs:
            Job.create(
                force_insert=True,
                **{
                    "id": job, "app_version": version, "user": account.id, "state": "succeeded", "cause": "ok",
                    "submitted_at": self.time.now - 5, "finished_at": self.time.now, "attempts": 1, **fields,
                },
            )  # fmt: skip
        self.told(jobs)
        return jobs

    def told(self, jobs: list[str]) -> None:
        with transaction():
            self.enqueue(
                [
                    Fact(1, self.time.now, "job.end", "success", "", "", "", "", job, None, None, {})
                    for job in jobs
                ]
            )  # fmt: skip

    def states(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in Delivery.select():
            found[row.state] = found.get(row.state, 0) + 1
        return found
