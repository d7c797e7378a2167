"""From a job's end to the receiver: what is sent, to whom, how often, and what happens when the sending is cut off."""

from __future__ import annotations

import contextlib
import json
import threading
import time as real_time
from http.server import BaseHTTPRequestHandler

import pytest
from cryptography.fernet import Fernet
from support.receiver import Received, Receiver, answering, closed_port, receiver
from support.webhooks import LOOPBACK, Time, World

from webfront.activity.term import Deposed
from webfront.database.models import Delivery, Job, Leadership, Webhook
from webfront.webhooks import messages
from webfront.webhooks.backoff import DAY_S
from webfront.webhooks.delivering import AT_ONCE, AT_ONCE_OF_OWNER, AT_ONCE_OF_WEBHOOK, Delivering, Waiting, shares
from webfront.webhooks.retention import forget_old_deliveries
from webfront.webhooks.sending import Sender


def one() -> Delivery:
    found: Delivery = Delivery.get()
    return found


def test_the_end_of_a_job_is_told_once_and_signed(world: World, target: Receiver) -> None:
    made = world.webhooks.create(world.bob, target.url())
    (job,) = world.ends(world.bob, state="failed", cause="app_error", message="exit code 1")
    assert world.deliver(world.term) == "1 arrived, 0 tries failed"
    assert world.deliver(world.term) == ""
    (received,) = target.received
    assert received.delivery == one().id
    assert received.headers["skerry-timestamp"] == "100000"
    body = json.loads(received.body)
    version = Job.get().app_version.hash
    assert body == {
        "id": one().id, "kind": "job.end", "at": 100_000.0, "path": f"/jobs/{job}",
        "job": {
            "id": job, "app": "noop", "version": version, "state": "failed", "cause": "app_error",
            "message": "exit code 1", "attempts": 1, "submitted_at": 99_995.0, "finished_at": 100_000.0,
        },
    }  # fmt: skip
    assert (one().state, one().status, one().tries, one().ended_at) == ("delivered", 204, 1, 100_000.0)
    assert made.key not in Webhook.get().key
    assert world.secrets.open(Webhook.get().key) == made.key


def test_each_is_told_of_their_own_jobs_of_the_app_they_chose_and_of_none_that_ended_before(
    world: World, target: Receiver, time: Time
) -> None:
    world.app("noop")
    world.app("other")
    (before,) = world.ends(world.bob)
    time.now += 1
    everything = world.webhook(world.bob, target.url("/all"))
    only = world.webhook(world.bob, target.url("/other"), app="other")
    world.webhook(world.ada, target.url("/ada"))
    world.told([before])
    mine, other = world.ends(world.bob)[0], world.ends(world.bob, app="other")[0]
    world.deliver(world.term)
    told = sorted((one.path, json.loads(one.body)["job"]["id"]) for one in target.received)
    assert told == [("/all", mine), ("/all", other), ("/other", other)]
    assert {row.webhook_id for row in Delivery.select()} == {everything, only}


def test_facts_that_are_read_again_add_nothing(world: World, target: Receiver) -> None:
    world.webhook(world.bob, target.url())
    jobs = world.ends(world.bob, count=250)
    world.told(jobs)
    assert Delivery.select().count() == 250


def test_a_long_message_is_cut_and_says_so(world: World, target: Receiver) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob, message="x" * 5000)
    world.deliver(world.term)
    message = json.loads(target.received[0].body)["job"]["message"]
    assert (len(message), message[-1]) == (messages.LONGEST_MESSAGE, "…")


def test_what_fails_is_tried_for_a_day_then_failed_and_can_be_sent_again(
    world: World, target: Receiver, time: Time
) -> None:
    webhook = world.webhook(world.bob, target.url())
    world.ends(world.bob)
    target.answer = answering(500)
    began = time.now
    while world.states() == {"pending": 1}:
        world.deliver(world.term)
        time.now = max(one().next_at, Webhook.get().rest_until)
    assert len(target.received) == 30
    assert len(set(target.deliveries)) == 1
    assert len({received.headers["skerry-signature"] for received in target.received}) == 30
    assert one().ended_at == pytest.approx(began + DAY_S, abs=10)
    assert (one().state, one().status, one().error) == ("failed", 500, "It answered 500 Internal Server Error.")
    view = world.webhooks.get(world.bob, webhook)
    assert (view.failed, view.pending, view.failing_since) == (1, 0, began)

    target.answer = answering(204)
    world.webhooks.again(world.bob, one().id)
    assert (one().state, one().tries, one().give_up_at) == ("pending", 0, time.now + DAY_S)
    assert world.deliver(world.term) == "1 arrived, 0 tries failed"
    assert world.webhooks.get(world.bob, webhook).failing_since is None
    world.webhooks.again(world.bob, one().id)  # one that arrived, too
    world.deliver(world.term)
    assert len(set(target.deliveries)) == 1
    assert len(target.received) == 32


def test_a_target_that_is_gone_for_a_day_is_not_hammered_and_gets_all_when_it_is_back(
    world: World, target: Receiver, time: Time
) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob, count=200)
    target.answer = answering(503)
    for _ in range(int(DAY_S / 300) - 6):
        world.deliver(world.term)
        time.now += 300
    assert 80 < len(target.received) < 110
    assert world.states() == {"pending": 200}
    target.answer = answering(204)
    time.now += 15 * 60
    world.deliver(world.term)
    time.now += 3600  # those that were tried wait for their own next try
    world.deliver(world.term)
    assert world.states() == {"delivered": 200}
    assert world.sender.most == AT_ONCE_OF_WEBHOOK


def test_when_their_day_is_over_all_fail_with_the_next_try(world: World, time: Time) -> None:
    webhook = world.webhook(world.bob, f"http://127.0.0.1:{closed_port()}/")
    world.ends(world.bob, count=50)
    world.deliver(world.term)
    time.now += DAY_S + 1
    world.ends(world.bob)
    assert world.deliver(world.term) == "0 arrived, 1 tries failed"
    assert world.states() == {"failed": 50, "pending": 1}
    assert {row.error for row in Delivery.select()} >= {"It could not be reached: Connection refused."}
    assert world.webhooks.all_again(world.bob, webhook) == 50
    assert world.states() == {"pending": 51}


def test_after_a_long_stop_of_the_platform_each_is_still_tried(world: World, target: Receiver, time: Time) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob, count=20)
    time.now += 5 * DAY_S
    world.deliver(world.term)
    assert world.states() == {"delivered": 20}


def test_a_hanging_target_holds_up_no_other(world: World, target: Receiver) -> None:
    release = threading.Event()

    def hangs(received: Received, handler: BaseHTTPRequestHandler) -> None:
        release.wait(20)

    world.deliver = Delivering(world.secrets, sender=Sender(LOOPBACK, deadline_s=4))
    with receiver() as slow:
        slow.answer = hangs
        for _ in range(5):
            world.webhook(world.ada, slow.url())
        world.webhook(world.bob, target.url())
        world.ends(world.ada, count=20)
        world.ends(world.bob, count=40)
        began = real_time.monotonic()

        def run() -> None:
            with contextlib.suppress(Deposed):
                world.deliver(world.term)

        chore = threading.Thread(target=run)
        chore.start()
        while len(target.received) < 40:
            assert real_time.monotonic() - began < 3, "before the first of the slow ones is given up"
            real_time.sleep(0.01)
        world.term.end()
        release.set()
        chore.join(5)
        assert not chore.is_alive()
        assert len(slow.received) <= AT_ONCE_OF_OWNER


def test_the_shares_are_fair() -> None:
    many = [Waiting(webhook, owner, 0) for owner in range(4) for webhook in range(owner * 10, owner * 10 + 10)]
    given = shares(many, [])
    assert sum(given.values()) == AT_ONCE
    assert max(given.values()) == 1
    assert sum(count for webhook, count in given.items() if webhook < 10) <= AT_ONCE_OF_OWNER
    assert shares([Waiting(1, 1, 0)], []) == {1: AT_ONCE_OF_WEBHOOK}
    assert shares([Waiting(1, 1, 5), Waiting(2, 2, 0)], []) == {1: 1, 2: AT_ONCE_OF_WEBHOOK}
    assert shares([Waiting(1, 1, 5), Waiting(2, 2, 0)], [(1, 1), (2, 2)]) == {2: AT_ONCE_OF_WEBHOOK - 1}
    assert shares([Waiting(3, 1, 0)], [(1, 1)] * 4 + [(2, 1)] * 4) == {}
    assert shares(many, [(100, 100)] * AT_ONCE) == {}


def test_cut_off_before_the_post_or_after_it_nothing_is_lost(world: World, target: Receiver, time: Time) -> None:
    """What a SIGKILL leaves: the row of step 1, with or without the POST. The integration tests kill a real one."""
    world.webhook(world.bob, target.url())
    world.ends(world.bob)
    died = False

    async def dies(*args: object) -> None:
        nonlocal died
        died = True
        raise KeyboardInterrupt

    world.sender.post = dies  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        world.deliver(world.term)
    assert died
    assert (one().state, one().tries) == ("pending", 1)
    assert "did not know" in one().error or "before it knew" in one().error
    del world.sender.post
    assert world.deliver(world.term) == ""
    time.now += 10
    assert world.deliver(world.term) == "1 arrived, 0 tries failed"


def test_a_scheduler_that_no_longer_leads_sends_nothing_and_records_nothing(
    world: World, target: Receiver, time: Time
) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob)
    target.answer = lambda received, handler: Leadership.update(epoch=7).execute() and answering(204)(received, handler)
    with pytest.raises(Deposed):
        world.deliver(world.term)
    assert len(target.received) == 1
    assert one().state == "pending"
    time.now += 60
    with pytest.raises(Deposed):
        world.deliver(world.term)
    assert len(target.received) == 1


def test_where_the_database_takes_no_writes_nothing_is_sent(
    world: World, target: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Delivery, "update", full)
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            world.deliver(world.term)
    assert target.received == []


def test_sent_again_while_a_try_is_under_way_the_wish_stands(world: World, target: Receiver, time: Time) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob)

    def meanwhile(received: object, handler: object) -> None:
        time.now += 5
        if len(target.received) == 1:
            world.webhooks.again(world.bob, one().id)
        answering(500)(received, handler)  # type: ignore[arg-type]

    target.answer = meanwhile
    world.deliver(world.term)
    assert one().tries <= 1
    assert one().give_up_at > 100_000 + DAY_S


def test_deleted_while_a_try_is_under_way(world: World, target: Receiver) -> None:
    webhook = world.webhook(world.bob, target.url())
    world.ends(world.bob, count=3)

    def meanwhile(received: object, handler: object) -> None:
        if Webhook.select().exists():
            world.webhooks.delete(world.bob, webhook)
        answering(204)(received, handler)  # type: ignore[arg-type]

    target.answer = meanwhile
    world.deliver(world.term)
    assert Delivery.select().count() == 0


def test_without_its_key_file_deliveries_fail_in_words_and_arrive_when_it_is_back(
    world: World, target: Receiver, time: Time
) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob)
    key = world.key_file.read_bytes()
    world.key_file.unlink()
    assert world.deliver(world.term) == "0 arrived, 1 tries failed"
    assert "It cannot be signed: The key file for secrets" in one().error
    world.key_file.write_bytes(Fernet.generate_key())
    world.key_file.chmod(0o600)
    time.now += 60
    world.deliver(world.term)
    assert "Make a new key for this webhook" in one().error
    assert target.received == []
    world.key_file.write_bytes(key)
    time.now += 3600
    assert world.deliver(world.term) == "1 arrived, 0 tries failed"


def test_what_nobody_foresaw_ends_that_try_alone(world: World, target: Receiver) -> None:
    bad = world.webhook(world.bob, target.url())
    Webhook.update(url="http://[").where(Webhook.id == bad).execute()
    world.webhook(world.bob, target.url())
    world.ends(world.bob)
    assert world.deliver(world.term) == "1 arrived, 1 tries failed"


def test_old_deliveries_are_forgotten_and_none_that_waits(world: World, target: Receiver, time: Time) -> None:
    world.webhook(world.bob, target.url())
    world.ends(world.bob, count=3)
    rows = list(Delivery.select())
    for row, state in zip(rows, ("delivered", "failed", "pending"), strict=True):
        ended = None if state == "pending" else time.now
        Delivery.update(state=state, ended_at=ended).where(Delivery.id == row.id).execute()
    time.now += 8 * DAY_S
    assert forget_old_deliveries(world.term) == "removed 1 old deliveries"
    assert world.states() == {"failed": 1, "pending": 1}
    time.now += 30 * DAY_S
    assert forget_old_deliveries(world.term) == "removed 1 old deliveries"
    assert forget_old_deliveries(world.term) == ""
    assert world.states() == {"pending": 1}
