"""The form that runs an app: sent twice it is one job, and where that is not what was meant it says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from webfront.database.models import Job
from webfront.errors import Unavailable
from webfront.web.services import Services

Browse = Callable[..., httpx.Client]


def key_of(page: httpx.Response) -> str:
    (key,) = re.findall(r'name="idempotency_key" value="([^"]+)"', page.text)
    return str(key)


def send(client: httpx.Client, key: str | None, parameters: str = "") -> httpx.Response:
    form = {"app": (None, "noop"), "version": (None, ""), "parameters": (None, parameters)}
    return client.post("/jobs/new", files=form if key is None else form | {"idempotency_key": (None, key)})


def test_a_form_that_is_sent_twice_is_one_job(ada: httpx.Client) -> None:
    key = key_of(ada.get("/jobs/new?app=noop"))
    first, again = send(ada, key), send(ada, key)
    (job,) = Job.select()
    assert (first.status_code, first.headers["Location"]) == (303, f"/jobs/{job.id}")
    assert (again.status_code, again.headers["Location"]) == (303, f"/jobs/{job.id}?sent=before")
    assert "The form had been sent already" in ada.get(again.headers["Location"]).text
    assert "The form had been sent already" not in ada.get(first.headers["Location"]).text


def test_each_form_is_a_job_of_its_own(ada: httpx.Client) -> None:
    keys = [key_of(ada.get("/jobs/new?app=noop")) for _ in range(3)]
    assert all(send(ada, key).status_code == 303 for key in keys)
    assert send(ada, None).status_code == 303  # a page from before this release
    assert Job.select().count() == 4


def test_a_form_that_was_sent_and_then_changed_asks_first(ada: httpx.Client) -> None:
    key = key_of(ada.get("/jobs/new?app=noop"))
    send(ada, key, "level = 1")
    (job,) = Job.select()
    refused = send(ada, key, "level = 2")
    assert refused.status_code == 422
    assert f"This form was sent before with something else in it, and became the job {job.id}." in refused.text
    assert "level = 2" in refused.text
    assert key_of(refused) != key
    assert send(ada, key_of(refused), "level = 2").status_code == 303
    assert Job.select().count() == 2


def test_a_refused_form_is_sent_again_changed(ada: httpx.Client) -> None:
    key = key_of(ada.get("/jobs/new?app=noop"))
    refused = send(ada, key, "no value")
    assert (refused.status_code, key_of(refused)) == (400, key)
    assert send(ada, key, "level = 2").status_code == 303
    # Sent before with a value, and now without: it is still known that it was sent.
    assert key_of(send(ada, key, "no value")) == key
    assert send(ada, key, "level = 2").headers["Location"].endswith("?sent=before")
    assert Job.select().count() == 1


@pytest.mark.parametrize("key", ["", "🪨", "k" * 256])
def test_a_key_that_is_none_is_refused(ada: httpx.Client, key: str) -> None:
    refused = send(ada, key)
    assert refused.status_code == 400
    assert "idempotency key" in refused.text
    assert Job.select().count() == 0


def test_a_form_whose_answer_was_an_error_is_sent_again(
    ada: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(ada.get("/jobs/new?app=noop"))
    submit = services.jobs.submit

    def cut_off(*arguments: object, **wish: object) -> object:
        submit(*arguments, **wish)  # type: ignore[arg-type]
        raise Unavailable("The database does not answer. Try again in a moment.")

    monkeypatch.setattr(services.jobs, "submit", cut_off)
    refused = send(ada, key)
    assert (refused.status_code, key_of(refused)) == (503, key)
    monkeypatch.undo()
    assert send(ada, key_of(refused)).status_code == 303
    assert Job.select().count() == 1
