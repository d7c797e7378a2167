"""The packages that are gathered for another machine's Python, into one archive."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.loading import load

packages = load("roles/skerry_code/files/packages.py")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands for pip: what it was called with. It installs a package with a program and compiled files."""
    calls: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if "nothing==1" in Path(command[-1]).read_text():
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching\ndistribution found")
        into = Path(command[command.index("--target") + 1])
        for name in ("bin/tool", "one/__init__.py", "one/__pycache__/x.pyc", "one/_c.so"):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_text(name)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_they_are_gathered_once_for_all_machines_like_it(index: list[list[str]], tmp_path: Path) -> None:
    first = packages.gather("one==1\n", "3.13", "aarch64", tmp_path)
    assert packages.gather("one==1\n", "3.13", "aarch64", tmp_path) == first
    assert len(index) == 1
    assert ":all:" in index[0]  # built ones alone: nothing of theirs runs here
    assert "3.13" in index[0]
    with tarfile.open(first["path"]) as archive:
        entries = {one.name.removeprefix("./"): one for one in archive if one.isfile()}
        assert set(entries) == {"one/__init__.py", "one/_c.so"}
        assert {(one.uid, one.uname, one.mode) for one in entries.values()} == {(0, "", 0o644)}
    others = [packages.gather(*asked, tmp_path)["path"] for asked in (("two==1", "3.13", "aarch64"),)]
    others += [
        packages.gather("one==1\n", *asked, tmp_path)["path"] for asked in (("3.11", "aarch64"), ("3.13", "x86"))
    ]
    assert len({first["path"], *others}) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(Path(p).name for p in (first["path"], *others))


def test_what_is_not_to_be_had_leaves_it_to_the_machine(index: list[list[str]], tmp_path: Path) -> None:
    assert packages.gather("nothing==1", "3.13", "x86_64", tmp_path) == {
        "path": "",
        "why": "ERROR: No matching distribution found",
    }
    assert list(tmp_path.iterdir()) == []
