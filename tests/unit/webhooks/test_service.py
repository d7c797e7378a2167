"""Webhooks through the API and the pages: whose they are, what is refused, and the key that is shown once."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from support.webhooks import LOOPBACK

from webfront.admin.secrets import reseal
from webfront.database.models import Delivery, Fact, User, Webhook
from webfront.errors import InvalidInput
from webfront.secretbox import SecretBox
from webfront.settings import Settings
from webfront.web.services import Services
from webfront.webhooks import service
from webfront.webhooks.enqueuing import new_delivery
from webfront.webhooks.service import MOST_OF_A_USER, WebhookService

Browse = Callable[..., httpx.Client]
URL = "http://127.0.0.1:8000/hook"
KEY = re.compile(r"skerry_hook_[\w-]{43}")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    import dataclasses

    key_file = settings.secrets_key_file
    key_file.parent.mkdir(parents=True, exist_ok=True)
    key_file.write_bytes(Fernet.generate_key())
    key_file.chmod(0o600)
    return dataclasses.replace(settings, webhook_networks=LOOPBACK)


@pytest.fixture
def bob(browse: Browse) -> httpx.Client:
    return browse("bob")


def create(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/webhooks", json={"url": URL} | body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def delivery(webhook: int, number: int = 1, state: str = "failed") -> str:
    row = new_delivery(f"01KAXN1V{number:018d}", webhook, "{}", 1000.0, job=f"01KAXN00{number:018d}")
    made: Delivery = Delivery.create(force_insert=True, **row | {"state": state, "tries": 30})
    return str(made.id)


def test_a_key_is_shown_once_and_a_new_one_in_its_place(bob: httpx.Client, services: Services) -> None:
    made = create(bob)
    assert KEY.fullmatch(made["key"])
    assert made["webhook"]["user"] == "bob"
    address = f"/api/v1/webhooks/{made['webhook']['id']}"
    new = bob.post(f"{address}/key").json()["key"]
    assert KEY.fullmatch(new)
    assert new != made["key"]
    shown = bob.get("/api/v1/webhooks").text + bob.get(address).text + bob.get("/webhooks").text
    assert not KEY.search(shown)
    row = Webhook.get()
    assert made["key"] not in row.key
    assert SecretBox(services.settings.secrets_key_file).open(row.key) == new


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"url": "ftp://ci.example.org/"}, "begins with https:// or http://"),
        ({"url": "http://127.0.0.2:8000/"}, "127.0.0.2 is a loopback address. .*SKERRY_WEBHOOK_NETWORKS"),
        ({"url": "http://169.254.169.254/latest"}, "is a link-local address"),
        ({"url": "http://[::1]:8000/"}, "is a loopback address"),
        ({"url": "http://no-such-name.invalid/"}, "no-such-name.invalid has no address"),
        ({"app": "nothing"}, "There is no app nothing"),
        ({"allow": "all"}, "unknown field `allow`"),
    ],
)
def test_what_cannot_be_one_is_refused_in_words(bob: httpx.Client, body: dict[str, str], words: str) -> None:
    answer = bob.post("/api/v1/webhooks", json={"url": URL} | body)
    assert answer.status_code == 400
    assert re.search(words, answer.json()["error"]["message"])
    assert Webhook.select().count() == 0


def test_without_a_key_file_no_webhook_is_made_and_all_else_works(bob: httpx.Client, settings: Settings) -> None:
    settings.secrets_key_file.unlink()
    answer = bob.post("/api/v1/webhooks", json={"url": URL})
    assert answer.status_code == 503
    assert str(settings.secrets_key_file) in answer.json()["error"]["message"]
    assert bob.get("/api/v1/jobs").status_code == 200
    assert bob.get("/webhooks").status_code == 200


def test_there_may_be_so_many(bob: httpx.Client) -> None:
    for _ in range(MOST_OF_A_USER):
        create(bob)
    answer = bob.post("/api/v1/webhooks", json={"url": URL})
    assert answer.status_code == 409
    assert "Delete one first" in answer.json()["error"]["message"]


def test_what_is_done_with_them_are_facts_without_an_address_or_a_key(bob: httpx.Client) -> None:
    made = create(bob)
    webhook = made["webhook"]["id"]
    sent = delivery(webhook)
    for path in (f"webhooks/{webhook}/key", f"webhooks/{webhook}/test", f"deliveries/{sent}/again"):
        assert bob.post(f"/api/v1/{path}").is_success
    Delivery.update(state="failed").execute()
    bob.post(f"/api/v1/webhooks/{webhook}/again")
    bob.delete(f"/api/v1/webhooks/{webhook}")
    bob.delete(f"/api/v1/webhooks/{webhook}")
    found = list(
        Fact.select()
        .where(Fact.user == "bob", Fact.kind.contains("webhook") | Fact.kind.contains("delivery"))
        .order_by(Fact.id)
    )
    deeds = ["webhook.create", "webhook.rekey", "webhook.test", "delivery.again", "webhook.again", "webhook.delete"]
    assert [fact.kind for fact in found] == [*deeds, "webhook.delete"]
    assert [fact.outcome for fact in found] == ["success"] * 6 + ["failure"]
    assert all(fact.data["webhook"] == webhook for fact in found[:6])
    assert found[5].data["dropped"] == 2
    assert not any("127.0.0.1" in str(fact.data) or "skerry_hook" in str(fact.data) for fact in found)


def test_another_users_webhook_is_not_there(bob: httpx.Client, browse: Browse) -> None:
    """Of an administrator's, bob sees nothing; of bob's, the administrator sees everything."""
    ada = browse("ada")
    hers, his = create(ada)["webhook"]["id"], create(bob)["webhook"]["id"]
    sent = delivery(hers)
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/key"), ("POST", "/test"), ("GET", "/deliveries"), ("POST", "/again"),
    ):  # fmt: skip
        answer = bob.request(method, f"/api/v1/webhooks/{hers}{path}")
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, "There is no such webhook."), path
    assert bob.post(f"/api/v1/deliveries/{sent}/again").status_code == 404
    assert bob.get(f"/webhooks/{hers}").status_code == 404
    assert [one["id"] for one in bob.get("/api/v1/webhooks").json()["webhooks"]] == [his]
    assert [one["id"] for one in ada.get("/api/v1/webhooks").json()["webhooks"]] == [hers, his]
    assert ada.delete(f"/api/v1/webhooks/{his}").status_code == 200
    assert Webhook.get_by_id(hers).user.name == "ada"
    assert bob.get(f"/api/v1/webhooks/{10**30}").status_code == 404


def test_deleting_one_tells_what_will_not_be_sent(bob: httpx.Client) -> None:
    webhook = create(bob)["webhook"]["id"]
    for number, state in enumerate(("pending", "pending", "failed", "delivered")):
        delivery(webhook, number, state)
    assert bob.get(f"/api/v1/webhooks/{webhook}").json()["webhook"]["pending"] == 2
    assert "2 deliveries on the way will not be sent" in bob.get(f"/webhooks/{webhook}").text
    assert bob.delete(f"/api/v1/webhooks/{webhook}").json() == {"dropped": 2}
    assert Delivery.select().count() == 0
    assert bob.get(f"/api/v1/webhooks/{webhook}").status_code == 404


def test_a_user_with_webhooks_is_not_deleted_unseen(bob: httpx.Client) -> None:
    import peewee

    create(bob)
    with pytest.raises(peewee.IntegrityError):
        User.delete().where(User.name == "bob").execute()


def test_deliveries_are_listed_by_pages_and_states(bob: httpx.Client) -> None:
    webhook = create(bob)["webhook"]["id"]
    ids = [delivery(webhook, number, "failed" if number % 2 else "delivered") for number in range(60)]
    listed = f"/api/v1/webhooks/{webhook}/deliveries"
    newest = [one["id"] for one in bob.get(listed).json()["deliveries"]]
    assert newest == ids[:9:-1]
    rest = bob.get(listed, params={"before": newest[-1]}).json()["deliveries"]
    assert [one["id"] for one in rest] == ids[9::-1]
    assert len(bob.get(listed, params={"state": "failed"}).json()["deliveries"]) == 30
    assert "pending, delivered, failed" in bob.get(listed, params={"state": "lost"}).json()["error"]["message"]
    page = bob.get(f"/webhooks/{webhook}").text
    assert page.count("Send again</button>") == 51  # those listed, and "all failed ones"
    assert f"before={newest[-1]}" in page


def test_a_failed_delivery_is_sent_again_from_the_page(bob: httpx.Client) -> None:
    webhook = create(bob)["webhook"]["id"]
    sent, other = delivery(webhook, 1), delivery(webhook, 2)
    assert "2 failed" in bob.get("/webhooks").text
    answer = bob.post(f"/deliveries/{sent}/again")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/webhooks/{webhook}")
    row = Delivery.get_by_id(sent)
    assert (row.state, row.tries) == ("pending", 0)
    assert bob.post(f"/api/v1/webhooks/{webhook}/again").json() == {"deliveries": 1}
    assert Delivery.get_by_id(other).state == "pending"


def test_sending_again_does_not_wait_until_the_webhook_has_rested(bob: httpx.Client) -> None:
    webhook = create(bob)["webhook"]["id"]
    Webhook.update(failures=9, failing_since=1.0, rest_until=1e12).execute()
    bob.post(f"/api/v1/deliveries/{delivery(webhook)}/again")
    row = Webhook.get()
    assert row.rest_until < 1e12
    assert row.failures == 9, "one is tried, not all"


def test_one_test_at_a_time(bob: httpx.Client) -> None:
    webhook = create(bob)["webhook"]["id"]
    first = bob.post(f"/api/v1/webhooks/{webhook}/test")
    assert first.status_code == 202
    assert first.json()["delivery"]["job"] is None
    assert bob.post(f"/api/v1/webhooks/{webhook}/test").status_code == 409
    Delivery.update(state="delivered").execute()
    assert bob.post(f"/api/v1/webhooks/{webhook}/test").status_code == 202


def test_the_form_keeps_what_was_typed_and_its_answer_shows_the_key(browse: Browse, services: Services) -> None:
    session = services.accounts.sign_in("bob", "correct horse", client="t")
    client = browse()
    client.cookies.set("skerry", session.token)
    form = {"url": "http://10.0.0.1/", "app": "", "csrf_token": session.csrf_token}
    refused = client.post("/webhooks/new", data=form)
    assert refused.status_code == 400
    assert 'value="http://10.0.0.1/"' in refused.text
    assert "10.0.0.1 is a private address" in refused.text
    made = client.post("/webhooks/new", data=form | {"url": URL})
    assert made.status_code == 201
    assert len(KEY.findall(made.text)) == 1
    assert made.headers["Cache-Control"] == "no-store"
    empty = client.get(f"/webhooks/{Webhook.get().id}").text
    assert "Nothing was sent yet" in empty


def test_an_empty_list_says_what_to_do(bob: httpx.Client) -> None:
    page = bob.get("/webhooks").text
    assert "No webhook yet" in page
    assert 'href="/webhooks/new"' in page


def test_a_name_that_is_slow_to_resolve_holds_up_nobody_for_long(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_RESOLVE_S", 0.2)
    released = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        released.wait(10)
        return ["1.1.1.1"]

    webhooks = WebhookService(SecretBox(services.settings.secrets_key_file), resolve=slow)
    account = services.accounts.sign_in("bob", "correct horse", client="t").account
    with pytest.raises(InvalidInput, match=r"slow.example was not found within"):
        webhooks.create(account, "https://slow.example/")
    released.set()


def test_resealing_lets_an_old_key_go(bob: httpx.Client, settings: Settings) -> None:
    key = create(bob)["key"]
    old = settings.secrets_key_file.read_text()
    new = Fernet.generate_key().decode()
    settings.secrets_key_file.write_text(f"{new}\n{old}")
    assert reseal(settings, None) == {"changed": True, "resealed": 1, "unreadable": 0}  # type: ignore[arg-type]
    settings.secrets_key_file.write_text(new)
    assert SecretBox(settings.secrets_key_file).open(Webhook.get().key) == key
    settings.secrets_key_file.write_bytes(Fernet.generate_key())
    assert reseal(settings, None)["unreadable"] == 1  # type: ignore[arg-type]


def test_no_network_is_allowed_unless_one_is_named() -> None:
    least = {"STATE_DIR": "/s", "SHARE_DIR": "/s", "BROKER_URL": "amqp://a@b/", "BROKER_PASSWORD_FILE": "/p",
             "BROKER_ADMIN_URL": "http://b"}  # fmt: skip
    environ = {f"SKERRY_{name}": value for name, value in least.items()}
    assert Settings.from_environment(environ).webhook_networks == ()
    environ["SKERRY_WEBHOOK_NETWORKS"] = "10.20.0.0/16, 127.0.0.1"
    found = Settings.from_environment(environ).webhook_networks
    assert found == (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("127.0.0.1"))
