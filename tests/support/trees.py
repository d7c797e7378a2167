"""Checkouts of other releases: this one as it is, with another version and with what a later release might add."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

from support.later import add_to

from webfront.database.steps import CODE
from wire import VERSION

PROJECT = Path(__file__).resolve().parents[2]

STEP = """
from __future__ import annotations

import peewee

from webfront.database.change import Change

OLDEST_CODE = {oldest_code}


def apply(change: Change) -> None:
    change.create_table("later", {{"number": peewee.IntegerField()}})
"""


def later_tree(to: Path, version: str, *, oldest_code: int = 1) -> Path:
    """A checkout of the release after this: another version, a field more in every message, a step more in the schema.

    `oldest_code` is what that step asks of code that is to run on the database.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, to / name)
    about = to / "wire/__init__.py"
    about.write_text(about.read_text().replace(f'"{VERSION}"', f'"{version}"'))
    messages = to / "wire/messages.py"
    messages.write_text(ast.unparse(add_to(ast.parse(messages.read_text()))) + "\n")
    step = to / f"webfront/database/steps/{CODE + 1:04d}_later.py"
    step.write_text(STEP.format(oldest_code=oldest_code))
    return to
