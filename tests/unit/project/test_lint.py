"""Lint looks at every script there is, and what runs before a commit is what lint runs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[3]
NOT_OURS = {".git", ".venv", ".skerry", ".ci", "artifacts"}
SLOW = {"ansible-lint --offline --strict"}


def checks() -> set[str]:
    """The commands of ./test's lint, as they are run."""
    text = (PROJECT / "test").read_text(encoding="utf-8")
    body = text[text.index("\nlint() {") : text.index("\nscenarios() {")]
    named = re.search(r"scripts=\((.*)\)", body)
    assert named is not None
    return {line.replace("${scripts[*]}", named[1]) for line in re.findall(r'^ {8}"(.*)"$', body, re.MULTILINE)}


def test_before_a_commit_runs_what_lint_runs() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert {hook["entry"] for hook in hooks} == checks() - SLOW
    assert {hook["language"] for hook in hooks} == {"system"}


def test_every_shell_script_is_looked_at() -> None:
    found = set()
    for path in PROJECT.rglob("*"):
        inside = path.relative_to(PROJECT)
        if NOT_OURS & set(inside.parts) or not path.is_file() or path.suffix not in ("", ".sh"):
            continue
        if re.match(rb"#!.*\b(ba)?sh\n", path.read_bytes()[:80]):
            found.add(str(inside))
    assert found
    for tool in ("shfmt", "shellcheck"):
        [command] = [one for one in checks() if one.startswith(tool)]
        assert found <= set(command.split())
