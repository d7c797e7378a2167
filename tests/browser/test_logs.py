"""The page on which log records are searched, on a phone and on a desktop, with records of every kind."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FloatRect, expect
from support.browsing import Site, Visitor, scratch_site
from support.elasticsearch import PrivateElasticsearch
from support.scratch import PASSWORD, TRACEBACK
from support.shipping import install, key_for

from .test_pages import check
from .test_usage import LOOKS

LONG = "a-word-that-does-not-end-" * 60
HOSTILE = '<script>document.title = "gone"</script><img src=x onerror="document.title=1"> \x1b[31mred \u202etxt.exe'
# Text that is drawn beyond the page's edge.
OUTSIDE = """() => [...document.querySelectorAll("main *")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && (box.left < 0 || box.right > innerWidth + 1) && getComputedStyle(one).position !== "absolute"
        && !one.closest("pre, .said");
}).map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, engine: PrivateElasticsearch) -> Iterator[Site]:
    """A site with log records of the last hour."""
    home = tmp_path_factory.mktemp("logged")
    install(engine)
    key = key_for(engine, "shipper")
    (home / "key").write_text(key)
    stream = f"logs-skerry-browsed{secrets.token_hex(4)}"
    more = {
        "SKERRY_ELASTIC_URL": engine.url,
        "SKERRY_ELASTIC_API_KEY_FILE": str(home / "key"),
        "SKERRY_ELASTIC_STREAM": stream,
        "SKERRY_KIBANA_URL": "https://kibana.example",
    }
    with scratch_site(home, more) as site:
        lines = []
        for number, record in enumerate(records(site.scratch.job["failed"])):
            at = datetime.fromtimestamp(site.scratch.now - 7.3 * number, UTC).isoformat(timespec="milliseconds")
            lines += [{"create": {"_id": f"r{number}"}}, {"event.id": f"r{number}", "@timestamp": at, **record}]
        body = "".join(json.dumps(line) + "\n" for line in lines)
        status, answer = engine.request("POST", f"/{stream}/_bulk?refresh=true", body)
        assert (status, answer["errors"]) == (200, False)
        # The first search with a new key takes seconds on a busy machine, which no page waits for.
        assert engine.request("POST", f"/{stream}/_search", {}, authorization=f"ApiKey {key}")[0] == 200
        yield site


def records(job: str) -> list[dict[str, Any]]:
    """Of every kind and level, short and long, and some that somebody meant badly."""
    own = {"ecs.version": "8.11.0", "host.name": "controller.workshop.example", "process.pid": 4711}
    about = {"skerry.job": job, "skerry.attempt": 1, "skerry.node": "beta"}
    found: list[dict[str, Any]] = [
        {**own, "log.level": "warning", "service.name": "scheduler", "message": "beta has said nothing for 15 s",
         "skerry.node": "beta", "log.logger": "webfront.scheduling.judge"},
        {**own, "log.level": "error", "service.name": "webfront", "message": "GET /jobs failed",
         "log.logger": "webfront.web.answers", "error.type": "ValueError",
         "error.message": "could not convert string to float: 'n/a'", "error.stack_trace": TRACEBACK},
        {**own, **about, "log.level": "info", "service.name": "agent", "message": f"attempt 1 of job {job} has begun"},
        *({"event.dataset": "skerry.app", **about, "skerry.app": "digits", "user.name": "ada", "skerry.line": line,
           "message": text} for line, text in reversed(list(enumerate(TRACEBACK.split("\n"), 1)))),
        {"event.dataset": "skerry.activity", "event.action": "job.end", "event.outcome": "failure", **about,
         "skerry.app": "digits", "user.name": "ada", "skerry.cause": "app_error", "skerry.state": "failed",
         "message": "a job of digits ended: app_error"},
        {"event.dataset": "rabbitmq.log", "log.level": "notice", "message": "Mirroring is not enabled"},
        {**own, "log.level": "critical", "service.name": HOSTILE, "skerry.node": HOSTILE, "message": HOSTILE},
        {**own, "log.level": "info", "service.name": "plays", "message": LONG * 10, "url.path": f"/{LONG[:900]}"},
        {**own, "log.level": "info", "service.name": "plays", "message": "many lines\n" * 40},
    ]  # fmt: skip
    return found + [
        {**own, "log.level": "info", "service.name": "webfront", "message": f"job.submit: success {number}",
         "event.action": "job.submit", "event.outcome": "success", "event.duration": 4_211_000, "user.name": "ada",
         "skerry.controller": "webfront.api.jobs", "http.request.method": "POST"}
        for number in range(120)
    ]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_records_can_be_read(logged: Site, visit: Callable[..., Visitor], screenshots: Path, look: str) -> None:
    visitor = visit(logged.url, **LOOKS[look])
    visitor.sign_in("ada", PASSWORD)
    page = visitor.page
    visitor.goto("/logs")
    expect(page.locator(".records > li")).to_have_count(100)
    assert page.title() == "Logs · Skerry"
    assert page.evaluate(OUTSIDE) == []
    first: FloatRect = {"x": 0, "y": 0, "width": LOOKS[look]["width"], "height": 3600}
    page.screenshot(path=screenshots / f"logs-{look}.png", full_page=True, clip=first)
    page.locator(".records summary").nth(1).click()
    page.locator(".records > li").nth(1).scroll_into_view_if_needed()
    page.screenshot(path=screenshots / f"logs-fields-{look}.png")
    page.locator("form.card summary").click()
    page.evaluate("() => scrollTo(0, 0)")
    page.screenshot(path=screenshots / f"logs-filters-{look}.png")
    visitor.goto("/logs?words=nothing+like+it")
    page.screenshot(path=screenshots / f"logs-none-{look}.png")
    assert visitor.problems == []


def test_the_page_and_those_that_lead_there_hold_on_a_narrow_phone(logged: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(logged.url, width=360, height=740)
    visitor.sign_in("ada", PASSWORD)
    job = logged.scratch.job["failed"]
    for path in ("/logs", "/logs?level=error&node=beta", "/logs?words=nothing", f"/logs?job={job}", f"/jobs/{job}",
                 "/nodes/beta", "/activity", "/usage"):  # fmt: skip
        check(visitor, path)


def test_a_search_goes_from_a_job_to_its_records_on_and_back_without_script(
    logged: Site, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(logged.url, java_script_enabled=False)
    visitor.sign_in("ada", PASSWORD)
    page = visitor.page
    visitor.goto(f"/jobs/{logged.scratch.job['failed']}")
    page.get_by_role("link", name="Search its records").click()
    expect(page.locator(".records > li")).to_have_count(9)
    expect(page.get_by_label("Job", exact=True)).to_have_value(logged.scratch.job["failed"])
    page.get_by_label("Words").fill('"string to float"')
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".records > li")).to_have_count(1)
    page.get_by_text("Fields").click()
    expect(page.locator(".records dl")).to_contain_text("skerry.line")
    page.get_by_role("link", name="Show everything").click()
    page.get_by_role("link", name="webfront", exact=True).first.click()
    expect(page.locator(".records > li")).to_have_count(100)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".records > li")).to_have_count(21)
    expect(page.get_by_label("Process", exact=True)).to_have_value("webfront")
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(".records > li")).to_have_count(100)
    page.get_by_label("Words").fill("fail*")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("has a wildcard, and there are none")
    expect(page.get_by_label("Words")).to_have_value("fail*")


def test_times_are_those_of_the_browser(logged: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(logged.url, timezone_id="Asia/Kolkata", locale="en-GB")
    visitor.sign_in("ada", PASSWORD)
    visitor.goto("/logs")
    shown = visitor.page.locator("time[data-moment]").first
    at = datetime.fromisoformat(shown.get_attribute("datetime") or "")
    local = datetime.fromtimestamp(at.timestamp() + 19800, UTC)
    expect(shown).to_contain_text(f"{local:%H:%M:%S}.{at.microsecond // 1000:03}")
