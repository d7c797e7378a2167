"""Writes docs/licences.md, what ships with Skerry and under which licences: `python docs/licences.py`.

Versions come from requirements/, licences from what the installed packages say of themselves, so no network is needed.
A test holds the page to it.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parent.parent

_WORDS: Final = (
    # What a package's classifiers, its field `License` or its licence's text say, and SPDX's name for that.
    ("SIL OPEN FONT LICENSE Version 1.1", "OFL-1.1"),
    ("General Public License v3 or later", "GPL-3.0-or-later"),
    ("Mozilla Public License 2.0", "MPL-2.0"),
    ("Apache", "Apache-2.0"),
    ("ISC L", "ISC"),
    ("ISC l", "ISC"),
    ("MIT", "MIT"),
    ("Permission is hereby granted, free of charge", "MIT"),
    ("BSD-2-Clause", "BSD-2-Clause"),
    ("repoze.org", "BSD-3-Clause-Modification"),
    ("BSD", "BSD-3-Clause"),
)
_HEAD: Final = """# Licences

<!-- Made by docs/licences.py. -->

Skerry is free software under the [MIT licence](../LICENSE). It builds on the packages below, which `pip` installs; none
of them is part of this repository. `ansible-core` is run as a program, in a process of its own.

| package | version | licence | for |
|---|---|---|---|
"""
_FILES: Final = """
What is in this repository and not Skerry's own:

| file | licence |
|---|---|
"""
_REST: Final = """
Everything else in `webfront/static/`, each script among it, is Skerry's own.
"""


def page() -> str:
    """The whole page."""
    extras = {extra: _closure(extra) for extra in ("node", "cli", "controller")}
    rows = []
    for name, version in _pins():
        needing = ", ".join(extra for extra, needed in extras.items() if _normal(name) in needed)
        rows.append(f"| {name} | {version} | {_licence(name)} | {needing} |")
    static = PROJECT / "webfront/static"
    files = []
    for text in sorted(static.rglob("*.LICENSE")):
        for path in sorted(text.parent.glob(f"{text.stem}*")):
            if path != text:
                licence = f"[{_named(text.read_text(encoding='utf-8'))}](../{text.relative_to(PROJECT)})"
                files.append(f"| `{path.relative_to(PROJECT)}` | {licence} |")
    return _HEAD + "\n".join(rows) + "\n" + _FILES + "\n".join(files) + "\n" + _REST


def _pins() -> list[tuple[str, str]]:
    lines = (PROJECT / "requirements/controller.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return sorted(((name, version) for name, _, version in pins), key=lambda pin: pin[0].lower())


def _closure(extra: str) -> set[str]:
    """The extra's packages and all that they need, by their normal names."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    pinned = {_normal(name) for name, _ in _pins()}
    found: set[str] = set()
    todo = [extra]
    for extra in todo:
        for requirement in extras[extra]:
            if requirement.startswith("skerry["):
                todo += re.findall(r"[a-z]+", requirement)[1:]
            else:
                _add(_normal(re.split(r"[=<>~ ]", requirement)[0]), found, pinned)
    return found


def _add(name: str, found: set[str], pinned: set[str]) -> None:
    if name not in found and name in pinned:
        found.add(name)
        for requirement in metadata.requires(name) or []:
            needed, _, marker = requirement.partition(";")
            if "extra" not in marker:
                _add(_normal(re.split(r"[^A-Za-z0-9._-]", needed.strip())[0]), found, pinned)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(package: str) -> str:
    about = metadata.metadata(package)
    if expression := about.get_all("License-Expression"):
        return str(expression[0])
    classifiers = [text for text in about.get_all("Classifier") or [] if text.startswith("License ::")]
    # The field before the classifiers, which do not say which BSD licence it is; but not where it is a whole text.
    fields = [text for text in about.get_all("License") or [] if len(text) < 60]
    for text in fields + classifiers:
        if name := _named(text):
            return name
    for file in metadata.files(package) or []:
        if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")) and (name := _named(file.read_text())):
            return name
    raise SystemExit(f"{package} does not say its licence in words that docs/licences.py knows")


def _named(text: str) -> str:
    return next((name for words, name in _WORDS if words in text), "")


if __name__ == "__main__":
    (PROJECT / "docs/licences.md").write_text(page(), encoding="utf-8")
