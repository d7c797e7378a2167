"""Removing what a stranger's code left: any depth, any names, any modes; and what cannot be removed is set aside."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import trees
from wire.messages import Cause

ROOT = os.geteuid() == 0


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", ["d", "d" * 200, "é\udcff\n"])
def test_folders_nested_deeper_than_python_recurses_and_paths_are_long(tmp_path: Path, name: str) -> None:
    top = tmp_path / "top"
    top.mkdir()
    with inside(top):
        for _ in range(2 * sys.getrecursionlimit()):
            Path("file").touch()
            os.mkdir(name)  # noqa: PTH102  relative: the whole path would be too long
            os.chdir(name)
    trees.remove(top)
    assert not top.exists()


def test_folders_of_all_kinds(tmp_path: Path) -> None:
    chance = random.Random(7)
    for round_number in range(20):
        top = tmp_path / str(round_number)
        top.mkdir()
        folders, outside = [top], tmp_path / "outside"
        outside.write_text("kept")
        for number in range(chance.randrange(60)):
            place = chance.choice(folders)
            path = place / chance.choice(
                [f".{number}", f"a b{number}", f"-rf{number}", f"\udc80{number}", f"x\n{number}"]
            )
            match chance.randrange(6):
                case 0 | 1:
                    path.mkdir()
                    folders.append(path)
                case 2:
                    path.symlink_to(chance.choice([outside, "/", "nowhere", path.name]))
                case 3:
                    os.mkfifo(path)
                case 4:
                    path.touch()
                    os.link(path, f"{path}-again")
                case _:
                    path.write_bytes(b"x" * chance.randrange(5000))
        for folder in folders:
            folder.chmod(chance.choice([0o700, 0o500, 0o300, 0o000]) if not ROOT else chance.choice([0o000, 0o700]))
        trees.remove(top)
        assert not top.exists()
        assert outside.read_text() == "kept"
    trees.remove(tmp_path / "never was")


@pytest.mark.skipif(not ROOT, reason="only root can mount")
def test_what_cannot_be_removed_is_set_aside_told_and_removed_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, aside = tmp_path / "attempts" / "job.1", tmp_path / "aside"
    (folder / "deep" / "mounted").mkdir(parents=True)
    (folder / "file").touch()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder / "deep" / "mounted"], check=True)
    (folder / "deep" / "mounted" / "inner").write_text("kept")
    try:
        with caplog.at_level(logging.WARNING):
            trees.tidy(folder, aside)
        assert not folder.exists()
        (kept,) = aside.iterdir()
        (record,) = caplog.records
        assert "set aside" in record.message
        assert str(kept) in record.message
        assert not (kept / "file").exists()
        trees.tidy_aside(aside)
        (mounted,) = [
            Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines() if str(kept) in line
        ]
        assert (mounted / "inner").read_text() == "kept"
    finally:
        for line in Path("/proc/mounts").read_text().splitlines():
            if str(tmp_path) in line:
                subprocess.run(["umount", line.split()[1]], check=True)
    trees.tidy_aside(aside)
    assert not aside.exists()


def test_an_attempts_folder_goes_however_deep_its_app_left_it(bench: Bench) -> None:
    digs = """
        import os
        for top in (".", os.environ["TMPDIR"]):
            os.chdir(top)
            for _ in range(1500):
                os.mkdir("d")
                os.chdir("d")
    """

    async def run() -> None:
        running = await bench.launch(bench.order(bench.app(digs)))
        await asyncio.wait_for(running.wait(), 60)
        ended = await running.finish()
        assert ended.cause is Cause.OK, running.read_log(0)
        running.discard()

    asyncio.run(run())
    assert list((bench.settings.state_dir / "attempts").iterdir()) == []
