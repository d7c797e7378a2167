"""CONTRIBUTING.md and the decisions name what there is."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def test_the_files_that_recipes_name_are_there() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {one for one in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text) if not re.search(r"NOUN|NAME|NNNN|VERB", one)}
    assert len(named) > 20
    assert {one for one in named if not (PROJECT / one).exists()} == set()


def test_a_recipe_touches_five_files_at_most() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| to add | touch |")[2]
    for line in text.splitlines()[2:]:
        assert len(set(re.findall(r"`[\w./-]*/[\w./-]*`", line))) <= 5, line


def test_every_decision_is_listed_and_there() -> None:
    folder = PROJECT / "docs/decisions"
    listed = set(re.findall(r"\]\((\S+\.md)\)", (folder / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
    missing = []
    for page in pages:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / link).exists():
                missing.append(f"{page.relative_to(PROJECT)}: {link}")
    assert missing == []
