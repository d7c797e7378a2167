"""Deeds: one name each on pages and API, and exactly one fact each, whatever comes of them."""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable

import httpx
import peewee
import pytest

from webfront.activity import deeds
from webfront.activity.deeds import Bound
from webfront.activity.facts import Kind
from webfront.application import WebFront
from webfront.database.connection import transaction
from webfront.database.models import Fact, Node
from webfront.web.services import Services

PASSWORD = "correct horse"

Browse = Callable[..., httpx.Client]

DEEDS = {
    "session.begin": {"POST /login"},
    "session.end": {"POST /logout"},
    "token.issue": {"POST /api/v1/tokens"},
    "token.revoke": {"DELETE /api/v1/tokens/current"},
    "app.delete": {"DELETE /api/v1/apps/<name>"},
    "version.delete": {"DELETE /api/v1/apps/<name>/versions/<version>"},
    "job.delete": {"DELETE /api/v1/jobs/<job_id>"},
    "app.upload": {"POST /apps/upload", "POST /api/v1/apps"},
    "job.submit": {"POST /jobs/new", "POST /api/v1/jobs"},
    "job.cancel": {"POST /jobs/<job_id>/cancel", "POST /api/v1/jobs/<job_id>/cancel"},
    "job.download": {
        "GET /jobs/<job_id>/outputs/<name>",
        "GET /jobs/<job_id>/log.txt",
        "GET /api/v1/jobs/<job_id>/outputs/<name:path>",
    },
    "node.register": {
        "POST /nodes/register",
        "POST /nodes/<name>/register",
        "POST /api/v1/nodes",
        "POST /api/v1/nodes/<name>/register",
    },
    "node.drain": {"POST /nodes/<name>/drain", "POST /api/v1/nodes/<name>/drain"},
    "node.remove": {"POST /nodes/<name>/remove", "DELETE /api/v1/nodes/<name>"},
    "node.activate": {"POST /nodes/<name>/activate", "POST /api/v1/nodes/<name>/activate"},
    "node.benchmark": {"POST /nodes/<name>/benchmark", "POST /api/v1/nodes/<name>/benchmark"},
    "node.test": {
        "POST /nodes/test",
        "POST /nodes/<name>/test",
        "POST /api/v1/nodes/test",
        "POST /api/v1/nodes/<name>/test",
    },
    "node.edit": {"POST /nodes/<name>/edit", "PATCH /api/v1/nodes/<name>"},
    "node.admit": {
        "POST /nodes/<name>/admit",
        "POST /api/v1/nodes/<name>/admit",
        "POST /invitations/<invitation_id:int>/approve",
        "POST /api/v1/invitations/<invitation_id:int>/approve",
    },
    "invitation.create": {"POST /invitations/new", "POST /api/v1/invitations"},
    "invitation.revoke": {
        "POST /invitations/<invitation_id:int>/revoke",
        "DELETE /api/v1/invitations/<invitation_id:int>",
    },
    "invitation.refuse": {
        "POST /invitations/<invitation_id:int>/refuse",
        "POST /api/v1/invitations/<invitation_id:int>/refuse",
    },
    "invitation.claim": {"POST /api/v1/join"},
    "invitation.withdraw": {"DELETE /api/v1/join"},
    "invitation.take": {"POST /api/v1/join/taken"},
    "play.stop": {"POST /plays/<number:int>/stop", "POST /api/v1/plays/<play_id:int>/stop"},
    "schedule.create": {"POST /api/v1/schedules", "POST /schedules/new"},
    "schedule.change": {"PATCH /api/v1/schedules/<key>", "POST /schedules/<key>/edit"},
    "schedule.delete": {"DELETE /api/v1/schedules/<key>", "POST /schedules/<key>/delete"},
    "schedule.pause": {"POST /api/v1/schedules/<key>/pause", "POST /schedules/<key>/pause"},
    "schedule.resume": {"POST /api/v1/schedules/<key>/resume", "POST /schedules/<key>/resume"},
    "schedule.run": {"POST /api/v1/schedules/<key>/run", "POST /schedules/<key>/run"},
    "webhook.create": {"POST /webhooks/new", "POST /api/v1/webhooks"},
    "webhook.delete": {"POST /webhooks/<webhook_id:int>/delete", "DELETE /api/v1/webhooks/<webhook_id:int>"},
    "webhook.rekey": {"POST /webhooks/<webhook_id:int>/key", "POST /api/v1/webhooks/<webhook_id:int>/key"},
    "webhook.test": {"POST /webhooks/<webhook_id:int>/test", "POST /api/v1/webhooks/<webhook_id:int>/test"},
    "webhook.again": {"POST /webhooks/<webhook_id:int>/again", "POST /api/v1/webhooks/<webhook_id:int>/again"},
    "delivery.again": {"POST /deliveries/<delivery_id>/again", "POST /api/v1/deliveries/<delivery_id>/again"},
}
"""Every deed with the routes that do it. A new route that changes something is written down here."""


def told() -> list[tuple[str, str, str, str]]:
    """Kind, outcome, user and controller of each fact of a deed, in order."""
    rows = Fact.select().where(Fact.kind.in_(list(DEEDS))).order_by(Fact.id)
    return [(row.kind, row.outcome, row.user, row.controller) for row in rows]


def why() -> list[str]:
    """The reason of each deed that failed, in order."""
    rows = Fact.select().where(Fact.kind.in_(list(DEEDS)), Fact.outcome == "failure").order_by(Fact.id)
    return [row.data["reason"] for row in rows]


def test_a_deed_has_one_name_on_pages_and_api(app: WebFront) -> None:
    found = collections.defaultdict(set)
    for route in app.routes:
        if (action := route.config.get("action")) is not None:
            found[action].add(f"{route.method} {route.rule}")
    assert found == DEEDS
    assert set(DEEDS) <= {kind.value for kind in Kind}


def test_each_deed_is_one_fact_whatever_comes_of_it(
    browse: Browse, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bob = browse("bob")
    bob.post("/api/v1/apps", files={"file": ("noop.py", b"")})
    bob.post("/api/v1/apps", files={"file": ("noop.py", b"")})  # there already: nothing changes
    job = bob.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"]
    bob.post("/api/v1/jobs", json={"app": "none"})
    bob.get(f"/api/v1/jobs/{job}/outputs/predictions.csv")
    bob.get(f"/jobs/{job}/log.txt")
    bob.post(f"/api/v1/jobs/{job}/cancel")
    bob.post(f"/jobs/{job}/cancel")  # over already
    # The plays process is away: the transaction comes to nothing, and with it what was told in it.
    bob.post("/api/v1/nodes", json={"name": "alpha", "address": "10.0.0.7", "ssh_user": "root", "password": "a-secret"})
    bob.post("/nodes/alpha/drain")
    bob.delete("/api/v1/tokens/current")
    bob.post("/api/v1/jobs", json={"app": "noop"})  # the token is gone
    expected = [
        ("token.issue", "success", "bob", "api.session"),
        ("app.upload", "success", "bob", "api.apps"),
        ("app.upload", "success", "bob", "api.apps"),
        ("job.submit", "success", "bob", "api.jobs"),
        ("job.submit", "failure", "bob", "api.jobs"),
        ("job.download", "failure", "bob", "api.jobs"),
        ("job.download", "success", "bob", "pages.jobs"),
        ("job.cancel", "success", "bob", "api.jobs"),
        ("job.cancel", "failure", "bob", "pages.jobs"),
        ("node.register", "failure", "bob", "api.nodes"),
        ("node.drain", "failure", "bob", "pages.nodes"),
        ("token.revoke", "success", "bob", "api.session"),
        ("job.submit", "failure", "", "api.jobs"),
    ]
    assert told() == expected
    assert Node.select().count() == 0
    reasons = why()
    assert reasons == ["not_found", "not_found", "conflict", "unavailable", "not_found", "not_signed_in"]
    about = [(row.app, row.job) for row in Fact.select().where(Fact.kind.startswith("job.")).order_by(Fact.id)]
    assert about[:3] == [("noop", job), ("none", ""), ("", job)]
    # The action log says the same.
    records = [vars(one) for one in caplog.records if "skerry.controller" in vars(one)]
    logged = [
        (one["event.action"], one["event.outcome"], one.get("user.name", ""), one["skerry.controller"])
        for one in records
    ]
    assert logged == expected
    assert [one["event.reason"] for one in records if one["event.outcome"] == "failure"] == reasons
    assert "a-secret" not in str([row.data for row in Fact.select()])


def test_a_page_that_shows_its_form_again_says_why(browse: Browse) -> None:
    visitor = browse()
    visitor.post("/login", data={"user": "bob", "password": PASSWORD})
    session = {"X-CSRF-Token": visitor.get("/jobs").text.split('csrf-token" content="')[1].split('"')[0]}
    visitor.post("/jobs/new", data={"app": "none"}, headers=session)
    visitor.post("/apps/upload", data={"name": "x"}, headers=session)
    visitor.post("/apps/upload", data={"name": "x"})
    assert why() == ["not_found", "invalid_input", "forbidden"]
    visitor.post("/logout", headers=session)
    assert told()[0] == ("session.begin", "success", "bob", "pages.session")
    assert told()[-1] == ("session.end", "success", "bob", "pages.session")


def test_a_failed_sign_in_keeps_no_name_that_nobody_has(browse: Browse) -> None:
    visitor = browse()
    for name in ("hunter2", "bob"):
        visitor.post("/login", data={"user": name, "password": "wrong"})
        visitor.post("/api/v1/tokens", json={"user": name, "password": "wrong"})
    assert [(user, outcome) for _, outcome, user, _ in told()] == [("", "failure")] * 2 + [("bob", "failure")] * 2
    kept = str([[getattr(row, name) for name in Fact._meta.fields] for row in Fact.select()])
    assert "hunter2" not in kept
    assert "wrong" not in kept


def test_what_was_typed_instead_of_a_name_is_not_kept(browse: Browse) -> None:
    bob = browse("bob")
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
    bob.post("/api/v1/nodes", json={"name": key})
    bob.post("/api/v1/jobs", json={"app": "my secret"})
    assert [(row.node, row.app) for row in Fact.select().where(Fact.outcome == "failure")] == [("", "")] * 2


def test_what_is_committed_stays_one_success_when_the_answer_breaks(app: WebFront, browse: Browse) -> None:
    @app.post("/api/v1/broken", action="job.cancel")
    def broken() -> str:
        with transaction():
            deeds.tell(Kind.JOB_CANCEL, job="J")
        raise RuntimeError("while the answer was made")

    assert browse("bob").post("/api/v1/broken").status_code == 500
    assert [one[:3] for one in told()[1:]] == [("job.cancel", "success", "bob")]


def test_a_route_cannot_make_up_a_deed(app: WebFront) -> None:
    app.post("/again", action="node.register_again")(lambda: "")
    with pytest.raises(ValueError, match=r"node\.register_again"):
        app.routes[-1].prepare()


def test_strangers_fill_no_disk(browse: Browse) -> None:
    visitor = browse()
    for _ in range(70):
        assert visitor.post("/api/v1/jobs", json={}).status_code == 401
    assert 60 <= Fact.select().count() <= 62


def test_what_strangers_are_not_told_of_is_counted() -> None:
    now = 0.0
    bound = Bound(lambda: now)
    assert [bound.admit() for _ in range(63)] == [0] * 60 + [None] * 3
    now = 10.0
    assert [bound.admit(), bound.admit()] == [3, None]
    now = 1e6
    assert [bound.admit() for _ in range(61)] == [1] + [0] * 59 + [None]


def test_a_deed_is_told_with_where_it_came_in(database: object) -> None:
    with deeds.begin(None, "admin"), transaction():
        deeds.tell(Kind.USER_CREATE, user="ann")
    with transaction():
        deeds.tell(Kind.USER_CREATE, user="ben")
    assert [(row.user, row.controller) for row in Fact.select()] == [("ann", "admin"), ("ben", "")]


def test_a_database_that_is_away_costs_the_fact_and_not_the_answer(
    app: WebFront, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    @app.get("/api/v1/file", action="job.download")
    def file() -> str:
        monkeypatch.setattr(deeds, "transaction", _away)
        return "the file"

    assert browse("bob").get("/api/v1/file").text == "the file"
    assert [one[0] for one in told()] == ["token.issue"]


def _away() -> None:
    raise peewee.OperationalError("away")
