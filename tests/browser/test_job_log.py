"""A job's log on its page: from either end and from any line, and live over a connection that is slow or cut."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from support.browsing import Site, Visitor
from support.cut import cut
from support.scratch import PASSWORD

from webfront.database.models import Attempt, Job, LogChunk

FIRST = 242
"""The number of the next line of the job that runs on the scratch site."""


class Running:
    """The job that runs, and what it writes."""

    def __init__(self, site: Site) -> None:
        self.id = site.scratch.job["running"]
        self.attempt = Attempt.get(Attempt.job == self.id)
        LogChunk.delete().where(LogChunk.attempt == self.attempt, LogChunk.first >= FIRST - 1).execute()
        Job.update(state="running", finished_at=None, cause=None).where(Job.id == self.id).execute()
        Attempt.update(state="running", ended_at=None, log_lines=None).where(Attempt.id == self.attempt.id).execute()
        self.last = FIRST - 2
        self.say(1)

    def say(self, count: int) -> None:
        """So many lines more."""
        first = self.last + 1
        text = "\n".join(f"line {number} of it, and a few words more" for number in range(first, first + count))
        LogChunk.create(attempt=self.attempt, first=first, count=count, at=time.time(), text=text)
        self.last += count


@pytest.fixture
def running(site: Site) -> Running:
    return Running(site)


def numbers(page: Page) -> list[str]:
    found: list[str] = page.locator(".log ol").evaluate("list => [...list.children].map((item) => item.dataset.n)")
    return found


def expect_newest(page: Page, number: int, within_s: float) -> None:
    item = page.locator(".log li").last
    expect(item).to_have_attribute("data-n", str(number), timeout=within_s * 1000)
    expect(item).to_have_text(f"line {number} of it, and a few words more")


def expect_whole(page: Page, first: int, last: int, within_s: float) -> None:
    """Each line from this to that, once and in its place, and no gap between them."""
    deadline = time.monotonic() + within_s
    wanted = [str(number) for number in range(first, last + 1)]
    while numbers(page)[-len(wanted) :] != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    assert numbers(page)[-len(wanted) :] == wanted


def test_a_log_opens_at_its_end_at_its_start_and_at_any_line(
    site: Site, running: Running, visit: Callable[..., Visitor]
) -> None:
    running.say(30_000)
    visitor = visit(site.url)
    visitor.sign_in("ada", PASSWORD)
    visitor.goto(f"/jobs/{running.id}")
    page = visitor.page
    expect_newest(page, running.last, 5)
    assert len(numbers(page)) == 1000
    page.locator(".log-places").get_by_role("link", name="Start").click()
    expect(page.locator(".log li").first).to_have_attribute("data-n", "1")
    page.get_by_label("Line", exact=True).fill("12345")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".log li").first).to_have_attribute("data-n", "12345")
    assert numbers(page) == [str(number) for number in range(12_345, 13_345)]
    page.get_by_role("link", name="Later").click()
    expect(page.locator(".log li").first).to_have_attribute("data-n", "13345")
    page.get_by_role("link", name="Earlier").click()
    expect(page.locator(".log li").first).to_have_attribute("data-n", "12345")
    page.get_by_role("link", name="End").click()
    expect_newest(page, running.last, 5)
    running.say(3)
    expect_newest(page, running.last, 5)
    assert visitor.problems == []


def test_a_log_that_failed_is_at_its_end_and_a_line_with_a_large_number_is_one_line(
    site: Site, running: Running, visit: Callable[..., Visitor]
) -> None:
    running.say(150_000)
    Attempt.update(state="ended", log_lines=running.last, cause="app_error", ended_at=time.time()).where(
        Attempt.id == running.attempt.id
    ).execute()
    Job.update(state="failed", cause="app_error", finished_at=time.time()).where(Job.id == running.id).execute()
    visitor = visit(site.url)
    visitor.sign_in("ada", PASSWORD)
    visitor.goto(f"/jobs/{running.id}")
    last = visitor.page.locator(".log li").last
    expect(last).to_have_attribute("data-n", str(running.last))
    box = visitor.page.locator(".log")
    assert box.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 24
    height = box.evaluate("box => parseFloat(getComputedStyle(box).lineHeight)")
    assert last.evaluate("item => item.getBoundingClientRect().height") < 1.5 * height


def test_a_connection_that_is_cut_without_a_word_comes_back_and_fetches_what_came_meanwhile(
    site: Site, running: Running, visit: Callable[..., Visitor]
) -> None:
    with cut(int(site.url.rpartition(":")[2])) as way:
        visitor = visit(way.url)
        visitor.sign_in("ada", PASSWORD)
        visitor.goto(f"/jobs/{running.id}")
        page = visitor.page
        running.say(5)
        expect_newest(page, running.last, 5)
        seen = running.last
        way.silent = True
        running.say(3500)
        expect(page.locator("#stale")).to_contain_text("does not answer just now", timeout=45_000)
        assert numbers(page)[-1] == str(seen)
        way.silent = False
        # What is new first; what came meanwhile follows, in its place.
        expect_newest(page, running.last, 30)
        expect_whole(page, seen - 5, running.last, 30)
        expect(page.locator("#stale")).to_have_text("", timeout=30_000)

        # Of more than the page can hold it shows the end, and the way to the rest.
        way.silent = True
        running.say(50_000)
        time.sleep(2)
        way.silent = False
        expect_newest(page, running.last, 60)
        link = page.locator(".log li.gap a").last
        expect(link).to_have_text("show them")
        first = str(link.get_attribute("href")).partition("line=")[2].partition("#")[0]
        link.click()
        expect(page.locator(".log li").first).to_have_attribute("data-n", first)


def test_over_a_slow_connection_what_is_new_is_shown_all_the_time(
    site: Site, running: Running, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(site.url)
    visitor.sign_in("ada", PASSWORD)
    visitor.goto(f"/jobs/{running.id}")
    page = visitor.page
    expect_newest(page, running.last, 5)
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    # 30 kB/s for a log that grows by twice as much.
    conditions = {"offline": False, "latency": 200, "downloadThroughput": 30_000, "uploadThroughput": 30_000}
    slow.send("Network.emulateNetworkConditions", conditions)
    shown = [running.last]
    for _ in range(5):
        for _ in range(12):
            running.say(400)
            page.wait_for_timeout(500)
        shown.append(int(next(number for number in reversed(numbers(page)) if number.isdecimal())))
    assert all(later > earlier for earlier, later in itertools.pairwise(shown[1:])), shown
    slow.send("Network.emulateNetworkConditions", conditions | {"downloadThroughput": -1, "latency": 0})
    expect_newest(page, running.last, 60)
    assert visitor.problems == []
