"""`Idempotency-Key` through the API: a repetition is answered like the first request, and anything else in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from webfront.api.description import describe
from webfront.application import WebFront
from webfront.database.models import Fact, Job

Browse = Callable[..., httpx.Client]


def submit(client: httpx.Client, key: str, **wish: Any) -> httpx.Response:
    return client.post("/api/v1/jobs", json={"app": "noop"} | wish, headers={"Idempotency-Key": key})


def test_a_repetition_is_answered_like_the_first(ada: httpx.Client) -> None:
    first, again = submit(ada, '"k"', parameters={"x": 0.5}), submit(ada, '"k"', parameters={"x": 0.5})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    # By a form it is the same request, and in other words the same key.
    form = {"app": (None, "noop"), "parameters": (None, '{"x": "0.5"}')}
    formed = ada.post("/api/v1/jobs", files=form, headers={"Idempotency-Key": "k"})
    assert formed.json() == first.json()
    assert Job.select().count() == Fact.select().where(Fact.kind == "job.submit").count() == 1


def test_another_request_with_the_key_is_refused(ada: httpx.Client) -> None:
    job = submit(ada, "k").json()["job"]["id"]
    refused = submit(ada, "k", parameters={"x": 1})
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert (error["code"], error["detail"]) == ("key_reused", {"job": job})
    assert "Use a new key for each request that is not a repetition." in error["message"]
    (failure,) = Fact.select().where(Fact.kind == "job.submit", Fact.outcome == "failure")
    assert failure.data == {"reason": "key_reused"}


def test_keys_are_their_users(ada: httpx.Client, browse: Browse) -> None:
    bob = browse("bob")
    jobs = {submit(client, "k").json()["job"]["id"] for client in (ada, bob, ada, bob)}
    assert len(jobs) == 2


@pytest.mark.parametrize(
    ("header", "same"),
    [
        ('"a b"', "a b"),
        (r'"a\"b"', 'a"b'),
        (r'"a\\b"', r"a\b"),
        ("a,b;c=1", '"a,b;c=1"'),
        ("~!*'();:@&=+$/?%#[]", "~!*'();:@&=+$/?%#[]"),
        ("k" * 255, f'"{"k" * 255}"'),
    ],
)
def test_a_key_with_quotes_or_without(ada: httpx.Client, header: str, same: str) -> None:
    first = submit(ada, header)
    assert first.status_code == 202
    assert submit(ada, same).json() == first.json()


@pytest.mark.parametrize(
    "header",
    ["", '""', '"', '"k', '"k"x', '"a"b"', r'"a\b"', '"k\\"', "k" * 256, f'"{"k" * 256}"', "k" * 10_000, "k\x7f"],
)
def test_what_is_no_key_is_refused_in_words(ada: httpx.Client, header: str) -> None:
    refused = submit(ada, header)
    assert refused.status_code == 400
    message = refused.json()["error"]["message"]
    assert any(words in message for words in ("1 to 255", "printable ASCII", "as one string"))
    assert Job.select().count() == 0


def test_its_description_tells_of_both_headers(app: WebFront) -> None:
    call = describe(app)["paths"]["/api/v1/jobs"]["post"]
    (header,) = [one for one in call["parameters"] if one["in"] == "header"]
    assert (header["name"], header["required"]) == ("Idempotency-Key", False)
    assert "Idempotent-Replayed" in call["responses"]["202"]["headers"]
