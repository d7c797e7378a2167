"""Every page, looked at from a narrow phone: what a person may rely on wherever they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.browsing import Site, Visitor
from support.scratch import PASSWORD

ALWAYS = (
    "/",
    "/nodes",
    "/nodes/register",
    "/apps",
    "/apps/upload",
    "/jobs",
    "/jobs/new",
    "/schedules",
    "/schedules/new",
    "/webhooks",
    "/webhooks/new",
    "/activity",
    "/usage",
    "/usage?span=1h&zone=Asia/Kolkata&user=ada",
    "/invitations",
    "/invitations/new",
)
FILLED = (
    "/nodes/beta",
    "/nodes/harbour",
    "/nodes/harbour/edit",
    "/nodes/joined",
    "/nodes/joined/edit",
    *(
        f"/invitations/{{invitation[{state}]}}"
        for state in ("open", "claimed", "approved", "taken", "refused", "revoked", "expired")
    ),
    "/plays/{play[failed]}",
    "/plays/{play[running]}",
    "/plays/{play[succeeded]}",
    "/apps/digits",
    "/jobs/new?app=digits",
    "/jobs/new?app=wordcount",
    "/jobs?state=failed",
    "/schedules/new?app=digits&cron=30+7+*+*+1-5&zone=UTC",
    "/schedules/{schedule}",
    "/schedules/{schedule}/edit",
    "/webhooks/{webhook}",
    *(
        f"/jobs/{{job[{state}]}}"
        for state in ("running", "preparing", "queued", "succeeded", "failed", "memory", "retried", "cancelled")
    ),
)
UNLABELLED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, progress")]
    .filter((field) => !field.labels?.length && !field.ariaLabel).map((field) => field.outerHTML)"""
NAMELESS = """() => [...document.querySelectorAll("a, button, summary")]
    .filter((one) => !one.textContent.trim() && !one.ariaLabel).map((one) => one.outerHTML)"""
# The widest the page gets, with each thing on it that opens opened in turn.
TOO_WIDE = """() => Math.max(...[null, ...document.querySelectorAll("details")].map((one) => {
    if (one) one.open = true;
    return document.documentElement.scrollWidth - document.documentElement.clientWidth;
}))"""
INLINE = "() => document.querySelectorAll('[style], style, script:not([src])').length"


def check(visitor: Visitor, path: str) -> None:
    """One h1, labels, names, no sideways scrolling, nothing on the console; also once it has refreshed."""
    visitor.goto(path)
    for _ in range(2):
        page = visitor.page
        assert page.locator("h1").count() == 1, path
        assert page.evaluate(UNLABELLED) == [], path
        assert page.evaluate(NAMELESS) == [], path
        assert page.evaluate(TOO_WIDE) <= 0, path
        assert page.evaluate(INLINE) == 0, path
        assert visitor.problems == [], path
        if page.locator("main[data-live]").count() == 0:
            break
        page.wait_for_timeout(1300)


@pytest.mark.parametrize("path", ["/login"])
def test_sign_in_page(site: Site, visit: Callable[..., Visitor], path: str) -> None:
    check(visit(site.url, width=360, height=740), path)


@pytest.mark.parametrize("site", [True, False], indirect=True, ids=["filled", "empty"])
def test_pages_that_are_always_there(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.url, width=360, height=740)
    visitor.sign_in("ada", PASSWORD)
    for path in ALWAYS:
        check(visitor, path)


def test_pages_about_something(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.url, width=360, height=740)
    visitor.sign_in("ada", PASSWORD)
    for path in FILLED:
        check(visitor, path.format(**vars(site.scratch)))


def test_they_can_be_read_without_script(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.url, java_script_enabled=False)
    visitor.sign_in("ada", PASSWORD)
    visitor.goto(f"/jobs/{site.scratch.job['running']}")
    assert "probability 0.9800" in visitor.page.locator(".log").inner_text()
    assert "lines 121 to 125 are missing" in visitor.page.locator(".log").inner_text()
    visitor.goto("/nodes/beta")
    visitor.page.get_by_text("Drain", exact=True).click()
    assert visitor.page.get_by_role("button", name="Drain beta").is_visible()


def test_an_error_says_what_to_change(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.url, width=360, height=740)
    visitor.sign_in("ada", PASSWORD)
    answer = visitor.page.goto(f"{site.url}/jobs/nonsuch")
    assert answer is not None
    assert answer.status == 404
    assert visitor.page.locator("h1").count() == 1
    assert "The lists show what is there" in visitor.page.locator("main").inner_text()


def test_whoever_is_not_signed_in_comes_back_to_the_page_they_wanted(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.url)
    visitor.goto("/jobs?state=failed")
    visitor.page.get_by_label("User name").fill("ada")
    visitor.page.get_by_label("Password").fill("wrong")
    visitor.page.get_by_role("button", name="Sign in").click()
    assert visitor.page.get_by_role("alert").inner_text().strip()
    assert visitor.page.get_by_label("User name").input_value() == "ada"
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Sign in").click()
    visitor.page.wait_for_url(f"{site.url}/jobs?state=failed")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.page.wait_for_url(f"{site.url}/login")
    visitor.goto("/nodes")
    assert visitor.page.url.startswith(f"{site.url}/login")
