"""`skerry webhooks` against the real application."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import httpx
import pytest
from cryptography.fernet import Fernet
from support.webhooks import LOOPBACK

from webfront.application import WebFront, create_app
from webfront.cli import commands
from webfront.cli.client import Client
from webfront.cli.main import main
from webfront.database.models import Delivery
from webfront.secretbox import SecretBox
from webfront.web.services import Services
from webfront.webhooks.service import WebhookService

URL = "http://127.0.0.1:8000/hook"


@pytest.fixture
def app(services: Services) -> WebFront:
    import dataclasses

    settings = services.settings
    settings.secrets_key_file.write_bytes(Fernet.generate_key())
    settings.secrets_key_file.chmod(0o600)
    hooks = WebhookService(SecretBox(settings.secrets_key_file), LOOPBACK)
    return create_app(settings, services=dataclasses.replace(services, webhooks=hooks))


@pytest.fixture
def skerry(
    app: WebFront,
    browse: Callable[..., httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    token = browse("bob").headers["Authorization"].removeprefix("Bearer ")
    transport = httpx.WSGITransport(app)
    monkeypatch.setattr(commands, "signed_in", lambda: Client("http://skerry.test", token, transport=transport))

    def run(*words: str, code: int = 0) -> str:
        assert main(["webhooks", *words]) == code
        return capsys.readouterr().out if code == 0 else ""

    return run


def test_a_webhook_from_its_making_to_its_end(skerry: Callable[..., str]) -> None:
    assert "skerry webhooks create https://" in skerry("list")
    key = skerry("create", URL).strip()
    assert re.fullmatch(r"skerry_hook_[\w-]{43}", key)
    webhook = json.loads(skerry("list", "--json"))["webhooks"][0]["id"]
    assert URL in skerry("list")
    assert "all jobs of bob" in skerry("show", str(webhook))
    assert skerry("rekey", str(webhook)).strip() != key
    delivery = skerry("test", str(webhook)).strip()
    assert delivery in skerry("deliveries", str(webhook), "--state", "pending")
    Delivery.update(state="failed", status=500, error="It answered 500.").execute()
    assert "It answered 500." in skerry("deliveries", str(webhook))
    assert "is sent again" in skerry("again", delivery)
    assert Delivery.get().state == "pending"
    Delivery.update(state="failed").execute()
    assert skerry("again", "--failed-of", str(webhook)) == "Deliveries that are sent again: 1.\n"
    assert "Deliveries that will not be sent: 1." in skerry("delete", str(webhook))
    skerry("show", str(webhook), code=3)
