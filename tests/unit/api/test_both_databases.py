"""Where SQLite and MariaDB are apt to differ, the API says the same on both."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx
import pytest

from webfront.database.connection import transaction
from webfront.database.models import Attempt, Job, LogChunk, SignInFailure, User

Browse = Callable[..., httpx.Client]
ODD = "🪨 ünïcödé, 'quotes' \"both\", a \\backslash, 100 %, ; -- ? and a space at the end "


@pytest.fixture
def ada(browse: Browse) -> httpx.Client:
    client = browse("ada")
    client.post("/api/v1/apps", files={"file": ("noop.py", io.BytesIO(b"print()"))}).raise_for_status()
    return client


def submit(client: httpx.Client, **parameters: str) -> httpx.Response:
    return client.post("/api/v1/jobs", json={"app": "noop", "parameters": parameters})


def test_cancelling_a_live_job_again_is_no_conflict(ada: httpx.Client) -> None:
    job = submit(ada).json()["job"]["id"]
    Job.update(state="running").where(Job.id == job).execute()
    assert [ada.post(f"/api/v1/jobs/{job}/cancel").status_code for _ in range(3)] == [202, 202, 202]
    Job.update(state="cancelled").where(Job.id == job).execute()
    assert ada.post(f"/api/v1/jobs/{job}/cancel").status_code == 409


def test_parameters_of_any_size_that_is_allowed_come_back(ada: httpx.Client) -> None:
    parameters = {f"p{number}": "🪨" * 3999 + "x" for number in range(20)}
    answer = submit(ada, **parameters)
    assert answer.status_code == 202
    job = answer.json()["job"]["id"]
    assert ada.get(f"/api/v1/jobs/{job}").json()["job"]["parameters"] == parameters


def test_text_comes_back_as_it_was(ada: httpx.Client) -> None:
    job = submit(ada, odd=ODD, empty="").json()["job"]["id"]
    lines = [ODD, "", "x" * 70_000, "last"]
    with transaction():
        Job.update(state="failed", message=ODD * 2000, attempts=1).where(Job.id == job).execute()
        attempt = Attempt.create(
            job=job, number=1, node="n", state="ended", placement={"sentence": ODD}, placed_at=1 / 3,
            ended_at=1767225600.1234567, message=ODD, log_lines=4,
            outputs=[{"name": ODD, "size": 2**40, "sha256": "0"}],
        )  # fmt: skip
        LogChunk.create(attempt=attempt, first=1, count=4, at=0.1, text="\n".join(lines))
    found = ada.get(f"/api/v1/jobs/{job}").json()["job"]
    assert (found["parameters"], found["message"]) == ({"odd": ODD, "empty": ""}, ODD * 2000)
    assert found["outputs"] == [{"name": ODD, "size": 2**40, "sha256": "0"}]
    assert found["attempts"][0]["placed_at"] == 1 / 3
    assert found["attempts"][0]["ended_at"] == 1767225600.1234567
    log = ada.get(f"/api/v1/jobs/{job}/log").json()
    assert [line["text"] for line in log["lines"]] == lines


def test_a_name_is_itself_alone(browse: Browse, ada: httpx.Client) -> None:
    """Neither its letters' case, nor an accent, nor a space at its end."""
    for name in ("Ada", "ada ", "àda"):
        answer = browse().post("/api/v1/tokens", json={"user": name, "password": "correct horse"})
        assert answer.status_code == 401, name
    for name in ("Noop", "noop%20", "n%C3%B6op"):
        assert ada.get(f"/api/v1/apps/{name}").status_code == 404, name
        assert ada.get("/api/v1/jobs", params={"app": name.replace("%20", " ")}).json() == {"jobs": []}
    counted = {row.user_name for row in SignInFailure.select()}
    assert {"Ada", "ada ", "àda"} <= counted
    User.create(name="Ada", password_hash="-", created_at=0.0)
    assert sorted(row.name for row in User.select().order_by(User.name)) == ["Ada", "ada", "bob"]


def test_numbers_beyond_the_database_are_answered(ada: httpx.Client) -> None:
    job = submit(ada).json()["job"]["id"]
    for number in (2**31, 2**63, 10**30):
        assert ada.get(f"/api/v1/plays/{number}").status_code == 404
        assert ada.get(f"/api/v1/jobs/{job}/log", params={"attempt": number}).status_code in (400, 404)
        assert ada.get(f"/api/v1/jobs/{job}/log", params={"after": number}).status_code in (200, 400)
        assert ada.get("/api/v1/jobs", params={"limit": number}).status_code in (200, 400)
        assert submit(ada).status_code == 202
        body = {"app": "noop", "priority": number}
        assert ada.post("/api/v1/jobs", json=body).status_code == 400


def test_long_and_odd_input_is_refused_or_cut_but_never_an_error(browse: Browse, ada: httpx.Client) -> None:
    long = "x" * 5000
    assert browse().post("/api/v1/tokens", json={"user": long, "password": long}).status_code in (400, 401)
    body = {"user": "bob", "password": "correct horse", "label": long}
    assert browse().post("/api/v1/tokens", json=body).status_code == 201
    for text in (long, ODD, "\0", "a\0b"):
        assert ada.get("/api/v1/jobs", params={"app": text, "before": text}).status_code == 200
        assert ada.get("/api/v1/jobs", params={"state": text}).status_code == 400
        assert ada.post("/api/v1/jobs", json={"app": text}).status_code in (400, 404)
        machine = {"name": "n1", "address": text, "ssh_user": text, "labels": [text], "private_key": text}
        assert ada.post("/api/v1/nodes", json=machine).status_code == 400
