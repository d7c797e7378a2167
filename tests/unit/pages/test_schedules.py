"""The pages of schedules, as they are without script: the form in two steps, refusals that say what to change."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import httpx
import pytest

from webfront.database.models import Job, Schedule, ScheduleTick

Browse = Callable[..., httpx.Client]
WHEN = {"app": "noop", "cron": "30 7 * * 1-5", "zone": "Europe/Berlin"}
WHAT = WHEN | {"name": "reports", "version": "", "when_running": "skip", "input_of": "", "at": ""}


def text(answer: httpx.Response) -> str:
    """The page's words, on one line."""
    main = answer.text.partition('<main id="main"')[2].partition("</main>")[0].partition(">")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


def form(**fields: str) -> dict[str, tuple[None, str]]:
    return {name: (None, value) for name, value in fields.items()}


@pytest.fixture
def ada(browse: Browse) -> httpx.Client:
    client = browse("ada")
    client.post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()
    return client


def test_an_empty_list_says_what_to_do(browse: Browse) -> None:
    client = browse("bob")
    assert "No schedule yet" in text(client.get("/schedules"))
    assert "No app is here yet. Upload one" in text(client.get("/schedules/new"))
    assert '<a href="/schedules" aria-current="page">Schedules</a>' in client.get("/schedules").text


def test_the_times_first_and_then_the_rest(ada: httpx.Client) -> None:
    assert 'href="/schedules/new?app=noop"' in ada.get("/schedules/new").text
    assert 'href="/schedules/new?app=noop"' in ada.get("/apps/noop").text
    begun = ada.get("/schedules/new", params={"app": "noop"})
    assert "Show the next times" in text(begun)
    assert "Make the schedule" not in text(begun)
    shown = ada.get("/schedules/new", params=WHEN)
    assert "At 07:30 on Monday through Friday (Europe/Berlin)" in text(shown)
    assert len(re.findall(r"<li>[^<]* 07:30</li>", shown.text)) == 5
    assert "Make the schedule" in text(shown)
    made = ada.post("/schedules/new", files=form(**WHAT, parameters="depth = 3"))
    row = Schedule.get()
    assert (made.status_code, made.headers["Location"]) == (303, f"/schedules/{row.id}")
    assert (row.name, row.version, row.cron, row.parameters) == ("reports", None, "30 7 * * 1-5", {"depth": "3"})
    assert "reports active noop At 07:30 on Monday through Friday (Europe/Berlin); next: " in text(
        ada.get("/schedules")
    )
    page = text(ada.get(f"/schedules/{row.id}"))
    for words in ("Next times", "None has come yet.", "It has made none yet.", "a time is skipped", "newest"):
        assert words in page


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"cron": "0 0 30 2 *"}, 400, "never comes"),
        ({"cron": "", "at": "2020-01-01T00:00"}, 400, "This time has passed."),
        ({"zone": ""}, 400, "There is no time zone"),
    ],
)
def test_a_time_that_cannot_be_is_refused_at_once(
    ada: httpx.Client, changes: dict[str, str], status: int, words: str
) -> None:
    answer = ada.get("/schedules/new", params=WHEN | changes)
    assert (answer.status_code, words in text(answer)) == (status, True)
    assert 'aria-invalid="true"' in answer.text


def test_what_was_typed_is_still_there_after_a_refusal(ada: httpx.Client) -> None:
    answer = ada.post("/schedules/new", files=form(**WHAT | {"name": "My reports"}, parameters="depth = 3"))
    assert (answer.status_code, "cannot be a schedule's name" in text(answer)) == (400, True)
    assert 'value="My reports"' in answer.text
    assert "depth = 3" in answer.text
    assert "Make the schedule" in text(answer)


def test_a_finished_job_can_be_put_on_a_schedule_with_its_input(ada: httpx.Client) -> None:
    job = ada.post("/api/v1/jobs", files={"app": (None, "noop"), "input": ("a.csv", b"1")}).json()["job"]["id"]
    Job.update(state="succeeded").execute()
    address = f"/schedules/new?app=noop&like={job}"
    assert address in html.unescape(ada.get(f"/jobs/{job}").text)
    shown = ada.get("/schedules/new", params=WHEN | {"like": job})
    assert "It uses a.csv, the input of that job" in text(shown)
    assert ada.post("/schedules/new", files=form(**WHAT | {"input_of": job})).status_code == 303
    assert str(Schedule.get().input).endswith("/a.csv")


def test_changing_pausing_running_and_deleting(ada: httpx.Client) -> None:
    ada.post("/schedules/new", files=form(**WHAT))
    row = Schedule.get()
    address = f"/schedules/{row.id}"
    assert 'value="30 7 * * 1-5"' in ada.get(f"{address}/edit").text
    shown = ada.get(f"{address}/edit", params={"cron": "@daily", "zone": "UTC"})
    assert "At 00:00 every day (UTC)" in text(shown)
    saved = form(**WHAT | {"cron": "@daily", "zone": "UTC", "when_running": "queue"})
    assert ada.post(f"{address}/edit", files=saved).headers["Location"] == address
    row = Schedule.get()
    assert (row.cron, row.zone, row.when_running) == ("0 0 * * *", "UTC", "queue")
    assert ada.post(f"{address}/pause").headers["Location"] == address
    assert "None until it is resumed." in text(ada.get(address))
    ada.post(f"{address}/resume")
    to_job = ada.post(f"{address}/run").headers["Location"]
    assert f'<a href="{address}">reports</a>' in ada.get(to_job).text
    page = ada.get(address)
    assert f'href="{to_job}"' in page.text
    assert "run by hand" in text(page)
    assert "noop" in text(ada.get("/jobs", params={"schedule": row.id}))
    assert ada.post(f"{address}/delete").headers["Location"] == "/schedules"
    assert "one that is gone" in text(ada.get(to_job))
    assert "There is no such schedule." in text(ada.get(address))


def test_why_it_made_no_job_is_told(ada: httpx.Client) -> None:
    ada.post("/schedules/new", files=form(**WHAT))
    row = Schedule.get()
    words = "3 times from 1 June 2026 07:30 to 3 June 2026 07:30 were missed."
    ScheduleTick.create(schedule=row.id, due_at=1.0, until_at=3.0, count=3, at=4.0, outcome="missed", words=words)
    Schedule.update(state="paused", next_at=None, state_reason="There is no app noop.").execute()
    assert words in text(ada.get(f"/schedules/{row.id}"))
    assert "There is no app noop." in text(ada.get("/schedules"))
    assert '<button class="primary">Resume</button>' in ada.get(f"/schedules/{row.id}").text
