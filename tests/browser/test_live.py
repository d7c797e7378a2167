"""The parts that move: a job's page follows the job, a play's page the play, and forms lose nothing."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browsing import Site, Visitor
from support.cut import cut
from support.scratch import PASSWORD

from webfront.database.models import Attempt, Job, LogChunk, Play, PlayEvent

WRONG_MANIFEST = "name: digits\nentrypoint: predict.py\nresources:\n  memory_mb: plenty\n"


@pytest.fixture
def visitor(site: Site, visit: Callable[..., Visitor]) -> Visitor:
    one = visit(site.url)
    one.sign_in("ada", PASSWORD)
    return one


def test_a_job_is_followed_to_its_end(site: Site, visitor: Visitor) -> None:
    job = site.scratch.job["running"]
    visitor.goto(f"/jobs/{job}")
    page = visitor.page
    expect(page.locator(".head .state")).to_have_text("running")
    # Open by hand: it must stay open while the page changes around it.
    page.get_by_text("Cancel", exact=True).click()
    attempt = Attempt.get(Attempt.job == job)
    LogChunk.create(attempt=attempt, first=241, count=2, at=time.time(), text="almost there\n<b>done</b>")
    expect(page.locator(".log li").last).to_have_text("<b>done</b>")
    assert page.locator(".log li").last.get_attribute("data-n") == "242"
    expect(page.get_by_role("button", name="Yes, cancel this job")).to_be_visible()

    now = time.time()
    attempt.state, attempt.cause, attempt.ended_at, attempt.log_lines, attempt.exit_code = "ended", "ok", now, 242, 0
    attempt.save()
    Job.update(state="succeeded", cause="ok", finished_at=now).where(Job.id == job).execute()
    expect(page.locator(".head .state")).to_have_text("succeeded")
    expect(page.locator(".timeline li").last).to_contain_text("Finished")
    expect(page.get_by_role("link", name="Run again")).to_be_visible()
    assert visitor.problems == []


def test_a_play_is_followed_to_its_failure(site: Site, visitor: Visitor) -> None:
    play = site.scratch.play["running"]
    visitor.goto(f"/plays/{play}")
    page = visitor.page
    expect(page.locator(".steps li").last).to_contain_text("Admit its broker user")
    PlayEvent.update(state="changed").where((PlayEvent.play == play) & (PlayEvent.number == 5)).execute()
    PlayEvent.create(
        play=play, number=6, at=time.time(), step="Install the node agent", state="failed", detail="no room"
    )
    Play.update(
        state="failed",
        failed_step="Install the node agent",
        message="The disk is full",
        advice="Free 1 GB",
        finished_at=1,
    ).where(Play.id == play).execute()
    expect(page.locator("#failure")).to_contain_text("Install the node agent")
    expect(page.locator("#failure")).to_contain_text("Free 1 GB")
    expect(page.locator("#step-5")).to_contain_text("changed")
    expect(page.get_by_role("button", name="Run it again")).to_be_visible()
    assert visitor.problems == []


def test_a_wrong_manifest_is_shown_with_its_line_and_nothing_is_lost(visitor: Visitor) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("app.yml", WRONG_MANIFEST)
        archive.writestr("predict.py", "")
    visitor.goto("/apps/upload")
    page = visitor.page
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "digits.zip", "mimeType": "application/zip", "buffer": made.getvalue()}
    )
    page.get_by_label("Name").fill("digits")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("app.yml, line 4")
    expect(page.get_by_role("alert")).to_contain_text("memory_mb")
    assert page.get_by_label("Name").input_value() == "digits"
    assert page.get_by_label("File", exact=True).evaluate("field => field.files[0].name") == "digits.zip"
    # Refusals are told once, by the page; a failed request is on the console by Chromium's own doing.
    assert [problem for problem in visitor.problems if "400" not in problem] == []


def test_a_refused_registration_keeps_the_key_in_the_browser_alone(visitor: Visitor) -> None:
    visitor.goto("/nodes/register")
    page = visitor.page
    page.get_by_label("Name").fill("Not A Name")
    page.get_by_label("Address").fill("rock.example")
    page.get_by_label("User", exact=True).fill("root")
    page.get_by_label("A key or a password of yours").check()
    page.get_by_label("Private key, pasted").fill("-----BEGIN OPENSSH PRIVATE KEY-----\nhush-hush\n-----END")
    with page.expect_response(re.compile("/nodes/register$")) as answer:
        page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_contain_text("name")
    assert "hush-hush" not in answer.value.text()
    assert "hush-hush" in page.get_by_label("Private key, pasted").input_value()
    assert page.get_by_label("Name").get_attribute("aria-invalid") == "true"
    page.get_by_label("It is this machine").check()
    expect(page.get_by_label("Address")).to_be_hidden()


def test_a_job_is_submitted_with_its_parameters(site: Site, visitor: Visitor) -> None:
    visitor.goto("/jobs/new?app=digits")
    page = visitor.page
    assert page.get_by_label("threshold").input_value() == "0.5"
    page.get_by_label("Input file").set_input_files({"name": "some.csv", "mimeType": "text/csv", "buffer": b"a\n1\n"})
    page.get_by_label("threshold").fill("0.75")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile("/jobs/0"))
    row = Job.get(Job.id == page.url.rpartition("/")[2])
    assert row.parameters["threshold"] == "0.75"
    assert (site.scratch.share / str(row.input)).read_bytes() == b"a\n1\n"
    expect(page.locator(".head .state")).to_have_text("queued")
    page.get_by_text("Cancel", exact=True).click()
    page.get_by_role("button", name="Yes, cancel this job").click()
    expect(page.locator("main")).to_contain_text("cancelled")


def test_a_form_that_got_no_answer_is_sent_again_and_is_one_job(site: Site, visit: Callable[..., Visitor]) -> None:
    with cut(int(site.url.rpartition(":")[2])) as broken:
        visitor = visit(broken.url)
        visitor.sign_in("ada", PASSWORD)
        page, before = visitor.page, Job.select().count()

        def run_without_an_answer() -> None:
            visitor.goto("/jobs/new?app=digits")
            page.get_by_label("Input file").set_input_files(
                {"name": "some.csv", "mimeType": "text/csv", "buffer": b"a\n1\n"}
            )
            broken.drop = broken.dropped + 1
            page.get_by_role("button", name="Run").click()
            expect(page.get_by_role("alert")).to_contain_text("It could not be sent.")

        run_without_an_answer()
        page.get_by_role("button", name="Run").click()
        page.wait_for_url(re.compile("/jobs/0"))
        expect(page.locator("main")).to_contain_text("The form had been sent already")
        assert Job.select().count() == before + 1

        # Changed meanwhile, it is another job, and only by one more click.
        run_without_an_answer()
        page.get_by_label("threshold").fill("0.75")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("alert")).to_contain_text("This form was sent before with something else in it")
        assert page.get_by_label("Input file").evaluate("field => field.files[0].name") == "some.csv"
        page.get_by_role("button", name="Run").click()
        page.wait_for_url(re.compile("/jobs/0"))
        expect(page.locator("main")).not_to_contain_text("The form had been sent already")
        assert Job.select().count() == before + 3
