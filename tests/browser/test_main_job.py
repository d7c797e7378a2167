"""The whole main job in a browser, on a platform that `./quickstart` brought up: from signing in to the predictions."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from support.browsing import Platform, Visitor

PROJECT = Path(__file__).resolve().parent.parent.parent
DIGITS = PROJECT / "examples" / "apps" / "digits"
LOOKS = {
    "phone-light": {"width": 390, "height": 844},
    "phone-dark": {"width": 390, "height": 844, "dark": True},
    "desktop-light": {"width": 1280, "height": 900},
    "desktop-dark": {"width": 1280, "height": 900, "dark": True},
}
RUNS_S = 180
"""How long the job may take: the first run on a node installs what the app requires."""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_the_main_job(platform: Platform, visit: Callable[..., Visitor], screenshots: Path) -> None:
    visitor = visit(platform.url)
    visitor.sign_in(platform.user, platform.password)
    page = visitor.page

    nodes = both_nodes(visitor)
    version = upload_digits(visitor)
    job = run_digits(visitor, version)

    expect(page.locator(".head .state")).to_have_text("succeeded", timeout=RUNS_S * 1000)
    winner = the_ranking(page, nodes)
    expect(page.locator(".timeline")).to_contain_text(f"Placed on {winner}")
    expect(page.locator(".timeline li").last).to_contain_text("Finished")
    expect(page.locator(".log li").first).to_be_visible()
    the_predictions(page)
    assert visitor.problems == []

    for name, look in LOOKS.items():
        picture(visit, platform, screenshots, name, look, {"job": f"/jobs/{job}", "node": f"/nodes/{winner}"})


def both_nodes(visitor: Visitor) -> set[str]:
    """Two nodes are active, each with its load and score."""
    visitor.goto("/nodes")
    cards = visitor.page.locator("li.card")
    expect(cards.filter(has_text="active")).to_have_count(2)
    for card in cards.all():
        expect(card.locator(".bar")).to_have_count(2)
        assert re.search(r"Score \d", card.inner_text())
    return set(visitor.page.locator("li.card h2").all_inner_texts())


def upload_digits(visitor: Visitor) -> str:
    """The example app goes up as a zip; its page shows what its manifest says. Returns the version's short name."""
    page = visitor.page
    visitor.goto("/apps/upload")
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "digits.zip", "mimeType": "application/zip", "buffer": zipped(DIGITS)}
    )
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/apps/digits\?"))
    expect(page.locator("h1")).to_have_text("digits")
    expect(page.locator("dl.facts").first).to_contain_text("needs one: .csv")
    return page.locator(".card .hash").first.inner_text()


def run_digits(visitor: Visitor, version: str) -> str:
    """The run form takes the input; what comes back is the job's page. Returns the job's id."""
    page = visitor.page
    page.get_by_role("link", name="Run", exact=True).click()
    expect(page.locator("#version option:checked")).to_contain_text(version)
    page.get_by_label("Input file").set_input_files(DIGITS / "inputs" / "digits.csv")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9A-Z]{26}$"))
    return page.url.rpartition("/")[2]


def the_ranking(page: Page, nodes: set[str]) -> str:
    """The page says in a sentence and a table which node won. Returns that node."""
    winner = page.locator("tr.won th").inner_text().split()[0]
    assert winner in nodes
    expect(page.locator(".sentence")).to_contain_text(f"{winner} won: ")
    scores = [float(cell) for cell in page.locator("table.dense tbody tr td:nth-child(2)").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    return winner


def the_predictions(page: Page) -> None:
    """The table on the page and the download hold the same, one prediction for each row of the input."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download predictions.csv").click()
    assert waiting.value.suggested_filename == "predictions.csv"
    header, *rows = csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8")))
    with (DIGITS / "inputs" / "digits.csv").open(encoding="utf-8", newline="") as given:
        assert len(rows) == sum(1 for _ in csv.reader(given)) - 1
    table = page.locator("#output-1 table")
    assert table.locator("thead th").all_inner_texts()[1:] == header
    shown = min(200, len(rows))
    expect(table.locator("tbody tr")).to_have_count(shown)
    for number in (1, shown):
        assert table.locator(f"tbody tr:nth-child({number}) td").all_inner_texts()[1:] == rows[number - 1]
    prediction = header.index("prediction")
    assert {row[prediction] for row in rows} <= {str(digit) for digit in range(10)}


def picture(
    visit: Callable[..., Visitor],
    platform: Platform,
    folder: Path,
    name: str,
    look: dict[str, Any],
    pages: dict[str, str],
) -> None:
    """Keep a picture of each page as it looks now, and see that none is wider than its screen."""
    visitor = visit(platform.url, **look)
    visitor.goto("/login")
    visitor.page.screenshot(path=folder / f"login-{name}.png")
    visitor.sign_in(platform.user, platform.password)
    always = {"home": "/", "nodes": "/nodes", "register": "/nodes/register", "app": "/apps/digits", "jobs": "/jobs"}
    for title, path in (always | {"run": "/jobs/new?app=digits"} | pages).items():
        visitor.goto(path)
        assert visitor.page.evaluate(TOO_WIDE) <= 0, path
        visitor.page.screenshot(path=folder / f"{title}-{name}.png", full_page=True)
    assert visitor.problems == []


def zipped(folder: Path) -> bytes:
    """The app's folder as a person would zip it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder))
    return made.getvalue()
