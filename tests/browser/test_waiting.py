"""A job's page while it waits and while it is made ready: what it waits for, until when, and what each node says."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browsing import Site, Visitor
from support.scratch import PASSWORD

from webfront.database.models import Attempt, Job, Look, Node

WIDTHS = (390, 1280)
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def crowded(site: Site) -> str:
    """A queued job whose only node that could take it is full; the scheduler has just decided that."""
    Node.update(state="draining", state_reason="drained by ada").where(Node.name == "alpha").execute()
    Node.update(slots=1).where(Node.name == "beta").execute()
    Node.update(state="removed").where(Node.name == "joined").execute()
    assert Attempt.select().where(Attempt.node == "beta", Attempt.state != "ended").count() == 2
    job: str = site.scratch.job["queued"]
    Job.update(waiting_reason="no node can take it now: beta has no free slot").where(Job.id == job).execute()
    Look.delete().execute()
    Look.create(at=time.time() + 60)
    return job


def look(visitor: Visitor, screenshots: Path, name: str) -> None:
    """No wider than the screen, nothing wrong on the console; with a picture of it."""
    assert visitor.page.evaluate(TOO_WIDE) <= 0
    assert visitor.problems == []
    visitor.page.screenshot(path=screenshots / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_waiting_job_says_what_each_node_says(
    site: Site, crowded: str, visit: Callable[..., Visitor], screenshots: Path, width: int
) -> None:
    visitor = visit(site.url, width=width, height=844)
    visitor.sign_in("ada", PASSWORD)
    visitor.goto(f"/jobs/{crowded}")
    page = visitor.page
    expect(page.locator(".lead")).to_contain_text("beta has no free slot.")
    card = page.locator("#waits")
    expect(card).to_contain_text("a node that can take it")
    expect(card).to_contain_text("a slot is free then at the latest")
    expect(card.locator("#says-beta")).to_contain_text("has no free slot: it holds 2 jobs, as many as it may")
    expect(card.locator("#says-alpha")).to_contain_text("is draining: drained by ada")
    expect(card.locator("#says-gannet-cliff")).to_contain_text("is suspect: no heartbeat for 19 s")
    look(visitor, screenshots, f"job-waiting-{width}")

    # It is live: a node that is active again is seen, and so is a scheduler that decides no more.
    Node.update(state="active", state_reason="").where(Node.name == "alpha").execute()
    expect(page.locator(".lead")).to_contain_text("alpha can take it")
    Look.update(at=time.time() - 9).execute()
    expect(page.locator(".lead")).to_contain_text("No scheduler decides at present")
    look(visitor, screenshots, f"job-undecided-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_job_that_is_made_ready_says_what_its_node_is_at(
    site: Site, visit: Callable[..., Visitor], screenshots: Path, width: int
) -> None:
    job = site.scratch.job["preparing"]
    now = time.time()
    stage = {"what": "building the environment", "since": now - 41, "detail": "fetching numpy", "until": now + 3500}
    Attempt.update(stage=stage).where(Attempt.job == job).execute()
    Node.update(last_heartbeat_at=now + 60).where(Node.name == "beta").execute()
    visitor = visit(site.url, width=width, height=844)
    visitor.sign_in("ada", PASSWORD)
    visitor.goto(f"/jobs/{job}")
    card = visitor.page.locator("#waits")
    expect(card).to_contain_text("building the environment, 4")
    expect(card).to_contain_text(", fetching numpy")
    Attempt.update(stage=stage | {"detail": "installing scipy (2 of 3)"}).where(Attempt.job == job).execute()
    expect(card).to_contain_text(", installing scipy (2 of 3)")
    expect(card).to_contain_text("the node gives it up, and it is tried on another one")
    look(visitor, screenshots, f"job-preparing-{width}")
