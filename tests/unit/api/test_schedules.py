"""Schedules through the API: whose they are, what is refused and how, and what changes mean."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from webfront.database.models import Fact, Job, Schedule, ScheduleTick
from webfront.schedules.rows import MOST_OPEN
from webfront.schedules.service import MOST_SCHEDULES
from webfront.settings import Settings

Browse = Callable[..., httpx.Client]
MANIFEST = "name: tool\nentrypoint: main.py\ninputs: {required: true, accept: [.csv]}\nparameters: {level: 3}\n"
PLAN = {"name": "nightly", "app": "noop", "zone": "Europe/Berlin", "cron": "30 2 * * *"}


@pytest.fixture
def ada(browse: Browse) -> httpx.Client:
    client = browse("ada")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.yml", MANIFEST)
        archive.writestr("main.py", "")
    client.post("/api/v1/apps", files={"file": ("tool.zip", out.getvalue())}).raise_for_status()
    client.post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()
    return client


def make(client: httpx.Client, **plan: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/schedules", json=PLAN | plan)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["schedule"]
    return found


def with_input(client: httpx.Client, data: bytes = b"1,2", name: str = "daily.csv", **plan: str) -> httpx.Response:
    fields = {key: (None, value) for key, value in (PLAN | {"app": "tool"} | plan).items()}
    return client.post("/api/v1/schedules", files={**fields, "input": (name, data)})


def kept(settings: Settings) -> list[bytes]:
    return [file.read_bytes() for file in sorted((settings.share_dir / "inputs/schedules").glob("*/*"))]


def test_what_is_made_is_shown_with_its_next_times_in_words(ada: httpx.Client) -> None:
    made = make(ada)
    assert made["words"] == "At 02:30 every day (Europe/Berlin)"
    assert (made["state"], made["version"], made["when_running"]) == ("active", None, "skip")
    assert len(made["next_times"]) == len(made["next_words"]) == 5
    assert made["next_times"][0] == made["next_at"] > time.time()
    assert made["next_words"][1] in {"tomorrow 02:30"} | {f"{day} 02:30" for day in DAYS}
    assert ada.get("/api/v1/schedules").json()["schedules"] == [made]
    for key in (made["id"], "nightly"):
        assert ada.get(f"/api/v1/schedules/{key}").json()["schedule"] == made


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def test_a_schedule_is_its_owners_and_administrators(ada: httpx.Client, browse: Browse) -> None:
    bob = browse("bob")
    his, hers = make(bob), make(ada)
    assert [one["name"] for one in bob.get("/api/v1/schedules").json()["schedules"]] == ["nightly"]
    assert {one["user"] for one in ada.get("/api/v1/schedules").json()["schedules"]} == {"ada", "bob"}
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/run"),
    ):
        body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        answer = bob.request(method, f"/api/v1/schedules/{hers['id']}{path}", **body)
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, "There is no such schedule.")
    # An administrator's run makes a job of the owner's.
    job = ada.post(f"/api/v1/schedules/{his['id']}/run").json()["job"]
    assert (job["user"], job["schedule"], job["schedule_name"]) == ("bob", his["id"], "nightly")
    assert bob.get(f"/api/v1/jobs/{job['id']}").status_code == 200
    assert ada.get("/api/v1/jobs", params={"schedule": hers["id"]}).json()["jobs"] == []
    assert [one["id"] for one in ada.get("/api/v1/jobs", params={"schedule": his["id"]}).json()["jobs"]] == [job["id"]]


@pytest.mark.parametrize(
    ("plan", "field", "words"),
    [
        ({"name": "Nightly"}, "name", "a name begins with a-z"),
        ({"name": "new"}, "name", "cannot be a schedule's name"),
        ({"cron": None}, "cron", "either a cron expression, or one date and time"),
        ({"at": "2040-01-01T00:00"}, "cron", "either a cron expression, or one date and time"),
        ({"cron": "0 0 30 2 *"}, "cron", "never comes"),
        ({"cron": "61 * * * *"}, "cron", "The minute '61' cannot be used"),
        ({"cron": None, "at": "2020-01-01T00:00"}, "at", "has passed"),
        ({"cron": None, "at": "soon"}, "at", "is no date and time"),
        ({"zone": "Mars/Olympus"}, "zone", "no time zone"),
        ({"parameters": {"input": "x"}}, None, "cannot be a parameter"),
        ({"app": "tool"}, None, "needs an input"),
        ({"when_running": "burst"}, None, "when_running"),
        ({"crom": "* * * * *"}, None, "crom"),
    ],
)
def test_what_cannot_be_is_refused_in_words(ada: httpx.Client, plan: dict[str, Any], field: str, words: str) -> None:
    answer = ada.post("/api/v1/schedules", json=PLAN | plan)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert (answer.json()["error"]["detail"] or {}).get("field") == field
    assert Schedule.select().count() == 0


def test_an_unknown_app_and_a_name_taken(ada: httpx.Client, browse: Browse) -> None:
    assert ada.post("/api/v1/schedules", json=PLAN | {"app": "nothing"}).status_code == 404
    make(ada)
    answer = ada.post("/api/v1/schedules", json=PLAN)
    assert (answer.status_code, "schedule nightly already" in answer.json()["error"]["message"]) == (409, True)
    make(browse("bob"))
    make(ada, name="other")
    assert ada.patch("/api/v1/schedules/other", json={"name": "nightly"}).status_code == 409


def test_a_user_has_a_limit(ada: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webfront.schedules.service.MOST_SCHEDULES", 2)
    for number in range(2):
        make(ada, name=f"n{number}")
    answer = ada.post("/api/v1/schedules", json=PLAN)
    assert (answer.status_code, MOST_SCHEDULES) == (409, 50)
    assert "Delete one" in answer.json()["error"]["message"]


def test_an_input_is_kept_replaced_and_removed(ada: httpx.Client, settings: Settings) -> None:
    made = with_input(ada).json()["schedule"]
    assert (made["input"], kept(settings)) == ("daily.csv", [b"1,2"])
    assert with_input(ada).status_code == 409
    assert kept(settings) == [b"1,2"]
    path = f"/api/v1/schedules/{made['id']}"
    changed = ada.patch(path, files={"input": ("new.csv", b"3,4"), "name": (None, "renamed")}).json()["schedule"]
    assert (changed["input"], changed["name"], kept(settings)) == ("new.csv", "renamed", [b"3,4"])
    answer = ada.patch(path, files={"input": ("new.txt", b"3,4")})
    assert (answer.status_code, kept(settings)) == (400, [b"3,4"])
    assert ada.patch(path, json={"input_of": None}).status_code == 400
    assert ada.patch(path, json={"app": "noop", "input_of": None}).json()["schedule"]["input"] is None
    assert kept(settings) == []
    assert ada.delete(path).status_code == 204
    assert ada.get(path).status_code == 404


def test_the_input_of_a_job_is_linked(ada: httpx.Client, browse: Browse, settings: Settings) -> None:
    form: dict[str, tuple[str | None, str | bytes]] = {"app": (None, "tool"), "input": ("data.csv", b"5,6")}
    job = ada.post("/api/v1/jobs", files=form).json()["job"]
    made = make(ada, app="tool", input_of=job["id"])
    assert (made["input"], kept(settings)) == ("data.csv", [b"5,6"])
    assert Path(settings.share_dir, str(Job.get().input)).stat().st_nlink == 2
    answer = browse("bob").post("/api/v1/schedules", json=PLAN | {"app": "tool", "input_of": job["id"]})
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "There is no such job.")
    run = ada.post("/api/v1/schedules/nightly/run").json()["job"]
    assert ada.delete("/api/v1/schedules/nightly").status_code == 204
    # What the job was given stays, and so does where it came from.
    assert (settings.share_dir / str(Job.get_by_id(run["id"]).input)).read_bytes() == b"5,6"
    shown = ada.get(f"/api/v1/jobs/{run['id']}").json()["job"]
    assert (shown["schedule"], shown["schedule_name"]) == (made["id"], None)
    assert ScheduleTick.select().count() == 0


def test_what_is_not_given_stays(ada: httpx.Client) -> None:
    version = ada.get("/api/v1/apps/noop").json()["app"]["versions"][0]["version"]
    made = make(ada, version=version[:10], parameters={"a": 1, "b": True}, when_running="queue")
    assert (made["version"], made["parameters"]) == (version, {"a": "1", "b": "true"})
    path = f"/api/v1/schedules/{made['id']}"
    assert ada.patch(path, json={}).json()["schedule"] == made
    changed = ada.patch(path, json={"version": None, "at": "2040-01-01T00:00"}).json()["schedule"]
    assert (changed["cron"], changed["at"], changed["version"]) == (None, "2040-01-01T00:00", None)
    assert (changed["parameters"], changed["when_running"]) == (made["parameters"], "queue")
    changed = ada.patch(path, json={"cron": "@hourly", "parameters": {}}).json()["schedule"]
    assert (changed["cron"], changed["at"], changed["parameters"]) == ("0 * * * *", None, {})
    assert ada.patch(path, json={"cron": None}).status_code == 400


def test_pausing_and_resuming(ada: httpx.Client) -> None:
    made = make(ada)
    path = f"/api/v1/schedules/{made['id']}"
    for _ in range(2):
        paused = ada.post(f"{path}/pause").json()["schedule"]
        assert (paused["state"], paused["next_at"], paused["next_times"]) == ("paused", None, [])
    assert ada.patch(path, json={"cron": "@daily"}).json()["schedule"]["state"] == "paused"
    Schedule.update(state_reason="There is no app noop.").execute()
    for _ in range(2):
        resumed = ada.post(f"{path}/resume").json()["schedule"]
        assert (resumed["state"], resumed["state_reason"]) == ("active", "")
    assert resumed["next_at"] > time.time()


def test_a_finished_one_begins_anew_with_another_time(ada: httpx.Client) -> None:
    made = make(ada, cron=None, at="2040-01-01T00:00")
    path = f"/api/v1/schedules/{made['id']}"
    Schedule.update(state="finished", next_at=None, once_at="2020-01-01T00:00").execute()
    assert [ada.post(f"{path}/{verb}").status_code for verb in ("pause", "resume")] == [409, 409]
    assert ada.patch(path, json={"name": "done"}).json()["schedule"]["state"] == "finished"
    assert ada.patch(path, json={"at": "2021-01-01T00:00"}).status_code == 400
    assert ada.patch(path, json={"at": "2041-01-01T00:00"}).json()["schedule"]["state"] == "active"


def test_running_by_hand_is_told_and_bounded(ada: httpx.Client, settings: Settings) -> None:
    made = with_input(ada).json()["schedule"]
    for _ in range(MOST_OPEN):
        assert ada.post("/api/v1/schedules/nightly/run").status_code == 202
    answer = ada.post("/api/v1/schedules/nightly/run")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert len(list((settings.share_dir / "inputs").glob("0*"))) == MOST_OPEN
    shown = ada.get("/api/v1/schedules/nightly").json()["schedule"]
    assert (shown["last"]["outcome"], shown["last"]["words"]) == ("submitted", "run by hand")
    assert (shown["next_at"], len(shown["ticks"])) == (made["next_at"], 20)


def test_each_deed_is_one_fact(ada: httpx.Client) -> None:
    made = make(ada)
    path = f"/api/v1/schedules/{made['id']}"
    ada.patch(path, json={"when_running": "queue"})
    for verb in ("pause", "resume", "run"):
        ada.post(f"{path}/{verb}")
    ada.delete(path)
    ada.post(f"{path}/pause")
    facts = list(Fact.select().where(Fact.kind.startswith("schedule.")).order_by(Fact.id))
    verbs = ["create", "change", "pause", "resume", "run", "delete"]
    assert [fact.kind for fact in facts[:-1]] == [f"schedule.{verb}" for verb in verbs]
    for fact in facts[:-1]:
        assert (fact.outcome, fact.user, fact.controller, fact.app) == ("success", "ada", "api.schedules", "noop")
        assert fact.data == {"schedule": made["id"], "name": "nightly"}
    assert (facts[-1].kind, facts[-1].outcome, facts[-1].data) == ("schedule.pause", "failure", {"reason": "not_found"})
    # The job is accepted like any other.
    assert Fact.select().where(Fact.kind == "job.submit", Fact.job == Job.get().id).count() == 1


def test_a_preview(ada: httpx.Client) -> None:
    found = ada.get("/api/v1/schedules/preview", params={"cron": "0 0 1 1 *", "zone": "Asia/Kathmandu"}).json()
    assert (found["words"], len(found["next_times"])) == ("At 00:00 on January 1 (Asia/Kathmandu)", 5)
    assert found["next_words"][4].endswith(" 00:00")
    assert ada.get("/api/v1/schedules/preview", params={"cron": "0 0 1 1 *"}).status_code == 400
    past = {"at": "2020-01-01T00:00", "zone": "UTC"}
    assert ada.get("/api/v1/schedules/preview", params=past).status_code == 400
