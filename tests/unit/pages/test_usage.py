"""The page of the platform's use and its call: the same numbers, one's own or, for administrators, everybody's."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import httpx
import pytest

from webfront.activity.facts import DEEDS, Kind, NewFact, Outcome, record_many
from webfront.application import WebFront
from webfront.database import models
from webfront.database.connection import transaction
from webfront.logs.engine import Engine, EngineAway
from webfront.pages.spanfields import _SPANS
from webfront.spans import SPANS
from webfront.web.services import Services

Browse = Callable[..., httpx.Client]


def happened(count: int, kind: Kind = Kind.JOB_SUBMIT, user: str = "bob", node: str = "") -> None:
    now = time.time()
    with transaction():
        record_many(
            NewFact(kind, now - 60 * n, user=user, controller="api.jobs", node=node) for n in range(1, count + 1)
        )


def test_what_people_did_by_api_and_pages_is_counted_once(ada: httpx.Client, browse: Browse) -> None:
    job = ada.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"]
    for _ in range(2):
        ada.post(f"/api/v1/jobs/{job}/cancel")
    assert ada.post("/api/v1/jobs", json={"app": "nonsuch"}).status_code == 404
    assert browse().post("/api/v1/tokens", json={"user": "nobody", "password": "wrong"}).status_code == 401
    bob = browse("bob")
    bob.post("/api/v1/nodes/beta/drain")
    models.Fact.update(at=models.Fact.at - 1).execute()

    facts = [row for row in models.Fact.select() if row.kind in DEEDS]
    usage = ada.get("/api/v1/usage").json()["usage"]
    for name, column in (("functions", "kind"), ("controllers", "controller"), ("users", "user"), ("nodes", "node")):
        expected = Counter((getattr(row, column), row.outcome) for row in facts)
        found = Counter[tuple[str, str]]()
        for one in [*usage[name]["most"], usage[name]["nameless"]]:
            found |= {(one["name"], "success"): one["succeeded"], (one["name"], "failure"): one["failed"]}
        assert +found == expected, name
    assert (usage["succeeded"] + usage["failed"], usage["users"]["nameless"]["failed"]) == (len(facts), 1)

    page = ada.get("/usage").text
    assert f"<strong>{len(facts)}</strong> interactions" in page
    for words in ("Job submitted", "App upload", "API: jobs", "Not signed in", "ada", "bob"):
        assert words in page, words


def test_whoever_is_no_administrator_sees_their_own_use_alone(browse: Browse) -> None:
    ada, bob = browse("ada"), browse("bob")
    models.Fact.delete().execute()
    happened(3, user="ada", node="adas-node")
    happened(2, user="bob")
    answer = bob.get("/api/v1/usage").json()
    assert (answer["usage"]["succeeded"], answer["usage"]["users"]) == (2, None)
    assert answer["question"]["user"] == ""
    assert ada.get("/api/v1/usage").json()["usage"]["succeeded"] == 5
    assert ada.get("/api/v1/usage", params={"user": "bob"}).json()["usage"]["succeeded"] == 2
    page = bob.get("/usage").text
    assert "<strong>2</strong> interactions" in page
    assert not re.search(r"\badas?\b", page)
    assert "Administrators see everybody's" in page
    assert 'id="user"' not in page
    assert 'href="/usage"' in bob.get("/jobs").text
    for user in ("ada", "bob"):
        for path in ("/usage", "/api/v1/usage"):
            answer = bob.get(path, params={"user": user})
            assert answer.status_code == 403
            assert "Only an administrator sees how others use the platform." in answer.text
    assert browse().get("/api/v1/usage").status_code == 401


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"zone": "Mars"}, "There is no time zone"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "The span ends before it begins"),
        ({"from": "2024-05-02", "to": "2026-05-01"}, "longer than 400 days"),
        ({"from": "soon"}, "is no date"),
        ({"function": "job.end"}, "There is no function"),
        ({"span": "month"}, "There is no span"),
    ],
)
def test_what_cannot_be_used_is_refused_on_both(browse: Browse, asked: dict[str, str], words: str) -> None:
    ada = browse("ada")
    answer = ada.get("/api/v1/usage", params=asked)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    page = ada.get("/usage", params=asked)
    assert page.status_code == 400
    assert words in page.text
    field = answer.json()["error"]["detail"]["field"]
    assert re.search(rf'id="{field}" name="{field}" aria-invalid="true"', page.text)
    assert f'href="#{field}"' in page.text


def test_the_question_is_in_the_address_and_in_the_form(browse: Browse) -> None:
    ada = browse("ada")
    happened(4, node="alpha")
    page = ada.get("/usage", params={"span": "24h", "zone": "Asia/Kolkata", "node": "alpha"}).text
    assert '<option value="24h" selected>' in page
    assert 'value="Asia/Kolkata"' in page
    assert "/usage?span=24h&amp;zone=Asia%2FKolkata&amp;node=alpha&amp;function=job.submit" in page
    assert "<details open>" in page
    # A date alone is shown as the moment that it stands for.
    page = ada.get("/usage", params={"from": "2026-03-29", "to": "2026-03-29", "zone": "Europe/Berlin"}).text
    assert 'value="2026-03-29T00:00:00"' in page
    assert 'value="2026-03-30T00:00:00"' in page
    assert "Nothing like that was done in this time" in page


def test_odd_and_long_input_is_answered(browse: Browse) -> None:
    ada = browse("ada")
    for text in ("x" * 5000, "\0", "a\0b", "<script>", "🪨 '\"", "%"):
        for field in ("user", "node", "controller"):
            answer = ada.get("/usage", params={field: text})
            assert answer.status_code == 200
            assert "<script>" not in answer.text
        for field in ("from", "to", "zone", "span", "function"):
            for path in ("/usage", "/api/v1/usage"):
                assert ada.get(path, params={field: text}).status_code == 400
    assert ada.get("/usage?user=%ff&from=%ff").status_code in (200, 400)


@pytest.mark.parametrize(
    ("begin", "end"),
    [("0002-01-01", "0002-02-01"), ("9998-12-01", "9998-12-31"), ("9998-12-31T23:00-12:00", "9998-12-31T23:59-12:00")],
)
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_dates_far_away_are_shown(browse: Browse, begin: str, end: str, zone: str) -> None:
    ada = browse("ada")
    for path in ("/usage", "/api/v1/usage"):
        assert ada.get(path, params={"from": begin, "to": end, "zone": zone}).status_code == 200


def test_many_functions_are_slices_and_the_rest_in_the_table(browse: Browse) -> None:
    ada = browse("ada")
    for number, kind in enumerate(sorted(DEEDS)):
        happened(40 - number, kind, user=f"user-{number:02}")
    page = ada.get("/usage").text
    assert page.count('<path class="slice"') >= 7
    assert "other functions</span>" in page
    assert f"{len(DEEDS) - 20} other functions</th>" in page
    assert re.search(r"\d\d other users", page)


def test_a_fact_that_failed_and_one_without_a_controller(browse: Browse) -> None:
    ada = browse("ada")
    models.Fact.delete().execute()
    with transaction():
        record_many([NewFact(Kind.JOB_SUBMIT, outcome=Outcome.FAILURE, at=time.time() - 9, user="ada")])
    page = ada.get("/usage").text
    assert "<strong>1</strong> interaction from" in page
    assert "<strong>1</strong> of which failed" in page
    assert "Schedules" in page
    assert '<circle r="100"' in page


def test_every_span_has_words_and_every_action_is_a_deed(app: WebFront) -> None:
    assert list(_SPANS) == list(SPANS)
    actions = {route.config["action"] for route in app.routes if "action" in route.config}
    assert actions <= DEEDS
    # What no route does is the schedules' and playbooks' own: `skerry-admin` makes users and changes settings.
    assert {kind.value for kind in DEEDS} - actions == {"setting.change", "user.create"}


def test_while_elasticsearch_does_not_answer_the_database_counts_and_the_page_says_so(
    browse: Browse, services: Services
) -> None:
    class Away:
        def count(self, *asked: object) -> object:
            raise EngineAway("it did not answer within 4 s", in_doubt=True)

    services.usage._asking._engine = cast("Engine", Away())
    ada = browse("ada")
    happened(3)
    answer = ada.get("/api/v1/usage").json()
    assert (answer["source"], answer["trouble"]) == (
        "database",
        "Elasticsearch does not answer now. Try again in a moment.",
    )
    assert answer["usage"]["succeeded"] >= 3
    page = ada.get("/usage").text
    assert "Counted in the database. Elasticsearch does not answer now." in page
    assert "interactions" in page
