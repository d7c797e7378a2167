"""Facts and what apps print reach a real Elasticsearch, each once; and the use that is counted there is the same."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from support.front import until
from support.shipping import Shipping, answered

from webfront.activity.facts import COLUMNS, DEEDS, Fact, FactRow, Kind, NewFact, Outcome, from_row, record_many
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.rows import rows
from webfront.database.schema import open_database
from webfront.logs import activity, printed
from webfront.logs.asking import Asking
from webfront.logs.engine import EngineError
from webfront.logs.writing import Carrier
from webfront.settings import Settings
from webfront.usage import queries, records
from webfront.usage.views import Bucket, Question

BEGIN = 1_790_000_000.0
DAY = 86_400.0
JOB = "01M8EP8DJEAKVT6NVQ1619QFQ8"


@pytest.fixture
def settings(shipping: Shipping) -> Iterator[Settings]:
    """Of a platform whose database this process has open too."""
    found = Settings.from_environment(shipping.environment)
    open_database(found.database_url, found.database_password_file)
    yield found
    models.database.close()


@pytest.fixture
def asking(settings: Settings) -> Asking:
    return Asking.of(settings)


def facts() -> list[Fact]:
    return [from_row(row) for row in rows(FactRow, f"SELECT {COLUMNS} FROM fact ORDER BY id")]


def happened(count: int, seed: int = 1) -> list[Fact]:
    """Facts of every kind, of many users, at moments that fall on borders too."""
    rolled = random.Random(seed)

    def moment() -> float:
        border = BEGIN + rolled.randrange(40) * DAY / 2
        return border + rolled.choice([0.0, 1e-6, -1e-6, 4e-4, -4e-4, rolled.uniform(0, DAY)])

    with transaction():
        record_many(
            NewFact(
                rolled.choice(list(Kind)),
                moment(),
                rolled.choice(list(Outcome)),
                user=rolled.choice(["", "ada", "bob", f"user {rolled.randrange(60)}", 'a"b\\c', "ü" * 30]),
                controller=rolled.choice(["", "pages.jobs", "api.jobs", "api.nodes"]),
                node=rolled.choice(["", "alpha", f"node-{rolled.randrange(30)}"]),
                app="digits",
                job=JOB,
                attempt=rolled.choice([None, 1]),
                data=rolled.choice([None, {"reason": "not_found"}, {"cause": "ok", "state": "succeeded"}]),
            )
            for _ in range(count)
        )
    return facts()[-count:]


def attempt_that_said(*chunks: tuple[int, str]) -> None:
    """An attempt of the job, with these chunks of its log and the fact of its end."""
    user = models.User.create(name="ada", password_hash="", is_admin=False, created_at=BEGIN)
    app = models.App.create(name="digits", owner=user, created_at=BEGIN)
    version = models.AppVersion.create(app=app, hash="h", manifest={}, size=1, uploaded_at=BEGIN)
    job = models.Job.create(
        id=JOB, app_version=version, user=user, state="succeeded", submitted_at=BEGIN, attempts=1, force_insert=True
    )
    attempt = models.Attempt.create(job=job, number=1, node="alpha", state="ended", placement={}, placed_at=BEGIN)
    for first, text in chunks:
        models.LogChunk.create(attempt=attempt, first=first, count=text.count("\n") + 1, at=BEGIN, text=text)
    with transaction():
        record_many([NewFact(Kind.ATTEMPT_END, BEGIN, user="ada", app="digits", node="alpha", job=JOB, attempt=1)])


def there(shipping: Shipping, dataset: str) -> list[dict[str, Any]]:
    """The documents of a dataset, in whichever index."""
    status, _ = shipping.engine.request("POST", f"/{shipping.stream}/_refresh")
    if status == 404:
        return []
    question = {"size": 10_000, "query": {"term": {"event.dataset": dataset}}}
    hits = answered(shipping.engine, "POST", f"/{shipping.stream}/_search", question)["hits"]["hits"]
    return [hit["_source"] | {"_id": hit["_id"]} for hit in hits]


def test_a_fact_is_there_once_though_its_batch_comes_again(shipping: Shipping, settings: Settings) -> None:
    """Killed before its cursor moved, with a rollover since; and so is one that fails in the middle."""
    found = happened(700)
    Carrier(settings, activity.records_of)(found[:500])
    answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    after_a_kill = Carrier(settings, activity.records_of)
    after_a_kill(found[:500])
    after_a_kill(found[500:600])
    answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    after_a_kill(found[500:600])  # its cursor could not be moved
    after_a_kill(found[600:])
    documents = there(shipping, activity.DATASET)
    assert Counter(one["skerry.at"] for one in documents) == Counter(one.at for one in found)
    assert all(one["_id"] == one["event.id"] for one in documents)


def test_the_first_request_after_one_that_failed_looks_first(shipping: Shipping, settings: Settings) -> None:
    found = happened(30)
    carrier = Carrier(settings, activity.records_of)
    carrier(found[:10])
    shipping.engine.kill()
    try:
        with pytest.raises(EngineError):
            carrier(found[10:20])
    finally:
        shipping.engine.start()
    Carrier(settings, activity.records_of)(found[10:20])  # as if the request had been carried out all the same
    answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    carrier(found[10:20])
    carrier(found[20:])
    assert len(there(shipping, activity.DATASET)) == 30


@pytest.mark.parametrize("seed", range(3))
def test_the_use_that_is_counted_there_is_the_same(
    shipping: Shipping, settings: Settings, asking: Asking, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_PAGE", 7)  # so that several pages are asked for
    rolled = random.Random(seed)
    carrier = Carrier(settings, activity.records_of)
    for part in range(3):
        carrier(happened(300, seed * 10 + part))
        answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    answered(shipping.engine, "POST", f"/{shipping.stream}/_refresh")
    compared = 0
    for bucket in (*Bucket, Bucket.DAY, Bucket.DAY):
        length = {Bucket.MINUTE: 3 * 3600.0, Bucket.HOUR: 7 * DAY, Bucket.DAY: 20 * DAY}[bucket]
        for _ in range(4):
            begin = BEGIN + rolled.randrange(40) * DAY / 2
            question = Question(
                begin,
                begin + length,
                rolled.choice(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
                bucket,
                function=rolled.choice(["", "", Kind.JOB_SUBMIT.value]),
                user=rolled.choice(["", "", "ada", 'a"b\\c']),
                node=rolled.choice(["", "", "alpha"]),
                controller=rolled.choice(["", "", "pages.jobs"]),
            )
            expected = queries.answer(question)
            assert records.answer(asking, question) == expected
            compared += expected.count
    assert compared > 100


def test_what_an_app_printed_is_there_line_by_line(shipping: Shipping, settings: Settings) -> None:
    attempt_that_said((1, "one\ntwo"), (2, "two\nthree"), (5, 'five "quoted"\n\nseven \u202e'))
    for _ in range(2):
        Carrier(settings, partial(printed.records_of, share=settings.share_dir))(facts())
        answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    found = sorted(there(shipping, printed.DATASET), key=lambda one: one["skerry.line"])
    lines = [(one["skerry.line"], one["message"]) for one in found]
    assert lines == [(1, "one"), (2, "two"), (3, "three"), (5, 'five "quoted"'), (6, ""), (7, "seven \u202e")]
    assert {one["user.name"] for one in found} == {"ada"}


def test_the_leading_scheduler_carries_what_happens(shipping: Shipping, settings: Settings) -> None:
    """Also what had happened before Elasticsearch was set, and one that is killed in between."""
    happened(1200)
    scheduler = shipping.start("scheduler")
    until(lambda: len(there(shipping, activity.DATASET)) > 0)
    scheduler.send_signal(signal.SIGKILL)
    scheduler.wait()
    happened(50, seed=2)
    answered(shipping.engine, "POST", f"/{shipping.stream}/_rollover")
    shipping.start("scheduler")
    until(lambda: len(there(shipping, activity.DATASET)) >= 1250)
    time.sleep(1.5)  # a second copy would come now
    assert Counter(one["skerry.at"] for one in there(shipping, activity.DATASET)) == Counter(one.at for one in facts())
    assert {one["skerry.deed"] for one in there(shipping, activity.DATASET) if one["event.action"] in DEEDS} == {True}
