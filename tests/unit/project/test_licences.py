"""What ships is listed with its licence, and Skerry's own is told to who installs it."""

from __future__ import annotations

import runpy
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def test_the_list_is_current() -> None:
    page = runpy.run_path(str(PROJECT / "docs/licences.py"))["page"]
    assert (PROJECT / "docs/licences.md").read_text(encoding="utf-8") == page(), "run `python docs/licences.py`"


def test_every_font_has_its_licence_beside_it() -> None:
    listed = (PROJECT / "docs/licences.md").read_text(encoding="utf-8")
    fonts = list((PROJECT / "webfront/static/fonts").glob("*.woff2"))
    assert fonts
    assert [font.name for font in fonts if f"{font.name}` | [OFL-1.1]" not in listed] == []


def test_the_package_says_its_own() -> None:
    assert metadata.metadata("skerry")["License-Expression"] == "MIT"
    assert "The Skerry authors" in (PROJECT / "LICENSE").read_text(encoding="utf-8")
