"""The page of the platform's activity and its call: for administrators, page by page, with what fails said first."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from webfront.activity import queries
from webfront.activity.facts import Kind, NewFact, Outcome, record_many
from webfront.activity.queries import list_consumers, recent_facts
from webfront.database import models
from webfront.database.connection import transaction
from webfront.logs.aside import LOSS_ROW
from webfront.pages import activitywords
from webfront.web.services import Services

Browse = Callable[..., httpx.Client]


def happened(count: int, kind: Kind = Kind.JOB_END, user: str = "bob") -> None:
    with transaction():
        record_many(NewFact(kind, job=f"J{number}", user=user) for number in range(count))


def test_it_is_for_administrators(browse: Browse) -> None:
    for path in ("/activity", "/api/v1/activity"):
        assert browse("bob").get(path).status_code == 403
        assert browse("ada").get(path).status_code == 200
    assert 'href="/activity"' in browse("ada").get("/jobs").text
    assert 'href="/activity"' not in browse("bob").get("/jobs").text


def test_the_newest_come_first_and_lead_on_to_the_older_ones(browse: Browse) -> None:
    ada = browse("ada")
    happened(5)
    first = ada.get("/api/v1/activity", params={"limit": 4, "kind": "job.end"}).json()
    assert [one["job"] for one in first["facts"]] == ["J4", "J3", "J2", "J1"]
    second = ada.get("/api/v1/activity", params={"kind": "job.end", "before": first["older"]}).json()
    assert [one["job"] for one in second["facts"]] == ["J0"]
    assert second["older"] is None
    happened(60)
    page = ada.get("/activity").text
    assert page.count("Job ended</td>") == 50
    assert "before=" in page
    assert ada.get("/activity", params={"user": "nobody"}).text.count("<td>") == 0
    assert ada.get("/api/v1/activity", params={"kind": "job.ends"}).status_code == 400


def test_a_filter_looks_at_a_bounded_number_of_facts_and_goes_on(
    database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_LOOKED_THROUGH", 10)
    happened(1, Kind.APP_UPLOAD, "ada")
    happened(24)
    seen, before, looks = [], None, 0
    while True:
        page = recent_facts(user="ada", before=before)
        seen += [fact.kind for fact in page.facts]
        looks += 1
        if page.older is None:
            break
        before = page.older
    assert (seen, looks) == ([Kind.APP_UPLOAD], 3)


def test_what_fails_is_said_with_since_when_and_why(browse: Browse) -> None:
    models.Consumer.create(name="webhooks", batch=0, failing_since=1.0, error="ValueError: broken", tries=3)
    models.Chore.create(
        name="abandoned inputs", last_at=1.0, took_s=0.2, failing_since=1.0, error="OSError: gone", next_at=2.0
    )
    page = browse("ada").get("/activity").text
    for words in ("webhooks has failed 3 times in a row", "ValueError: broken", "OSError: gone"):
        assert words in page
    answer = browse("ada").get("/api/v1/activity").json()
    assert answer["consumers"][0]["error"] == "ValueError: broken"
    assert answer["chores"][0]["failing_since"] == 1.0


def test_log_records_that_did_not_arrive_are_told(browse: Browse) -> None:
    assert "did not arrive" not in browse("ada").get("/activity").text
    models.LogLoss.create(id=LOSS_ROW, lost=1201, lost_at=1.0, refused=1, refused_at=2.0)
    models.RefusedRecord.create(name="a-1", at=2.0, reason="it is not JSON", body="<b>x</b>")
    page = browse("ada").get("/activity").text
    for words in ("1201 log records did not arrive", "199800 records", "it is not JSON", "&lt;b&gt;x&lt;/b&gt;"):
        assert words in page, words
    told = browse("ada").get("/api/v1/activity").json()["logs"]
    assert (told["reader"], told["bound"], told["lost"], told["refused"]) == ("none", 199800, 1201, 1)
    assert told["newest_refused"][0]["name"] == "a-1"


def test_a_consumer_is_behind_by_what_it_has_not_had(database: object, monkeypatch: pytest.MonkeyPatch) -> None:
    models.Consumer.create(name="slow", batch=1)
    happened(7)
    for batch, job in ((1, "J0"), (2, "J1"), (3, "J2")):
        models.Fact.update(batch=batch).where(models.Fact.job == job).execute()
    assert list_consumers()[0].behind == 6  # two in later batches, four that are in none yet
    monkeypatch.setattr(queries, "MOST_BEHIND", 3)
    assert list_consumers()[0].behind == 4


def test_every_kind_of_fact_and_every_reason_has_words() -> None:
    from webfront import errors

    assert set(activitywords.KINDS) == set(Kind)
    codes = {one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.SkerryError)}
    assert codes <= set(activitywords.REASONS)


def test_a_fact_of_a_newer_version_is_shown_by_its_name(browse: Browse, services: Services) -> None:
    with transaction():
        record_many([NewFact(Kind.JOB_END, outcome=Outcome.FAILURE, data={"state": "failed", "cause": "timeout"})])
    models.Fact.update(kind="job.marvel").where(models.Fact.kind == Kind.JOB_END).execute()
    page = browse("ada").get("/activity").text
    assert "job.marvel" in page
    assert "state: failed; cause: timeout" in page
