"""The page of the platform's use, on a phone and on a desktop: nothing is cut, and nothing lies on another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browsing import Site, Visitor
from support.scratch import PASSWORD

LOOKS = {
    "phone-light": {"width": 390, "height": 844},
    "phone-dark": {"width": 390, "height": 844, "dark": True},
    "desktop-light": {"width": 1280, "height": 900},
    "desktop-dark": {"width": 1280, "height": 900, "dark": True},
}
# The words of charts that are drawn beyond the page's edge, or over each other.
OUTSIDE = """() => [...document.querySelectorAll(".chart text, .chart span, .chart a")]
    .filter((one) => { const box = one.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth; })
    .map((one) => one.textContent)"""
OVERLAPPING = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
    const words = [...chart.querySelectorAll("text, .legend span, .lanes li > span")]
        .map((one) => [one.textContent, one.getBoundingClientRect()]).filter(([, box]) => box.width);
    return words.flatMap(([text, a], place) => words.slice(place + 1)
        .filter(([, b]) => a.left < b.right && b.left < a.right && a.top + 4 < b.bottom && b.top + 4 < a.bottom)
        .map(([other]) => `${text} / ${other}`));
})"""
# What the charts are filled with: each is there, and drawn in a colour that the ground is not.
FILLS = """() => [...document.querySelectorAll(".chart [fill]")].map((one) => one.getAttribute("fill").slice(5, -1))
    .filter((id) => {
        const made = document.querySelector(`#${id} rect`), ground = document.querySelector(".card");
        return !made || getComputedStyle(made).fill === getComputedStyle(ground).backgroundColor;
    })"""

# Numbers of the tables behind the charts that have to be scrolled to.
OUT_OF_SIGHT = """() => {
    for (const one of document.querySelectorAll("details")) one.open = true;
    return [...document.querySelectorAll(".chart .table-box")].filter((box) => box.scrollWidth > box.clientWidth)
        .map((box) => box.getAttribute("aria-labelledby"));
}"""


@pytest.mark.parametrize("look", LOOKS)
def test_charts_can_be_read(site: Site, visit: Callable[..., Visitor], screenshots: Path, look: str) -> None:
    visitor = visit(site.url, **LOOKS[look])
    visitor.sign_in("ada", PASSWORD)
    page = visitor.page
    for name, query in {"week": "", "month": "?span=30d&zone=Europe/Berlin", "hour": "?span=1h"}.items():
        visitor.goto(f"/usage{query}")
        assert page.locator(".chart svg[role=img] > title").count() == 3
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(OVERLAPPING) == []
        assert page.evaluate(FILLS) == []
        for shape in page.locator(".pie path, .pie circle").all():
            box = shape.bounding_box()
            assert box is not None
            assert box["width"] > 1
        page.screenshot(path=screenshots / f"usage-{name}-{look}.png", full_page=True)
        assert page.evaluate(OUT_OF_SIGHT) == []
    assert visitor.problems == []


def test_a_slice_leads_to_its_function_and_the_table_has_the_numbers(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.url, java_script_enabled=False)
    visitor.sign_in("ada", PASSWORD)
    page = visitor.page
    visitor.goto("/usage?span=30d")
    page.locator("section", has_text="Functions").get_by_role("link", name="Job submitted").click()
    expect(page.get_by_label("Function", exact=True)).to_have_value("job.submit")
    expect(page.get_by_label("Time", exact=True)).to_have_value("30d")
    section = page.locator("section", has=page.get_by_role("heading", name="Functions"))
    section.get_by_text("The numbers").click()
    expect(section.get_by_role("row").nth(1)).to_contain_text("100 %")
    page.get_by_label("User", exact=True).fill("nobody")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("main")).to_contain_text("Nothing like that was done in this time.")
    page.get_by_label("From", exact=True).fill("2026-03-29T02:00")
    page.get_by_label("To", exact=True).fill("2026-03-28T02:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The span ends before it begins.")
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-03-29T02:00")
    assert visitor.page.get_by_label("User", exact=True).input_value() == "nobody"
