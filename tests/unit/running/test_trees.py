"""Folders are walked, measured and removed whatever is in them; what cannot be removed is set aside."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_scripts.running import trees
from node_scripts.running.removal import Remover

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root's rights")


def nest(top: Path, depth: int, name: str, *, beside: bool = False) -> None:
    """Folders in one another, deeper than any path reaches, and a megabyte in the innermost; another beside each."""
    here = os.open(".", os.O_RDONLY)
    os.chdir(top)
    for level in range(depth):
        Path(name).mkdir()
        if beside:
            Path(f"beside-{level}").mkdir()
        os.chdir(name)
    Path("file").write_bytes(bytes(10**6))
    os.fchdir(here)
    os.close(here)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "top"
    folder.mkdir()
    yield folder
    trees.remove(folder)  # pytest's own removal cannot


@pytest.mark.parametrize(("depth", "name"), [(5000, "d"), (60, "x" * 250), (60, "é\udcff\n" * 60)])
def test_what_lies_deep_is_counted_and_removed(top: Path, depth: int, name: str) -> None:
    nest(top, depth, name, beside=depth < 100)
    (top / "another").write_bytes(bytes(10**6))
    open_before = descriptors()
    assert 2 * 10**6 <= trees.disk_bytes([top]) < 2.1 * 10**6 + 10_000 * (depth + 1)
    assert sum(1 for _ in trees.walk(top)) == depth * (2 if depth < 100 else 1) + 2
    trees.remove(top)
    assert not top.exists()
    assert descriptors() == open_before


def test_too_deep_for_the_descriptors_there_are_is_an_error(top: Path) -> None:
    nest(top, 60, "x" * 250, beside=True)
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for fd in (taken.pop(), taken.pop()):
            os.close(fd)
        with pytest.raises(OSError, match="Too many open files"):
            trees.disk_bytes([top])
    finally:
        for fd in taken:
            os.close(fd)


@pytest.mark.parametrize("seed", range(10))
def test_any_name_and_any_kind_of_file_goes(top: Path, seed: int) -> None:
    chance = random.Random(seed)
    outside = top.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "kept").write_text("kept")
    folders = [top]
    for _ in range(200):
        length = chance.choice([1, 2, 10, 255])
        name = bytes(chance.choice([*range(1, 47), *range(48, 256)]) for _ in range(length))
        path = chance.choice(folders) / os.fsdecode(name)
        if len(os.fsencode(path)) > 4000 or os.path.lexists(path):
            continue
        match chance.randrange(6):
            case 0 | 1:
                path.mkdir()
                folders.append(path)
            case 2:
                path.symlink_to(chance.choice([outside, outside / "kept", Path("/nowhere")]))
            case 3:
                os.mkfifo(path)
            case 4:
                path.write_bytes(b"x")
            case 5 if len(os.fsencode(path)) < 100:
                with socket.socket(socket.AF_UNIX) as one:
                    one.bind(os.fsencode(path))
            case _:
                path.hardlink_to(outside / "kept")
    for folder in reversed(folders):
        folder.chmod(chance.choice([0o000, 0o100, 0o200, 0o400, 0o1755]))
    trees.disk_bytes([top])
    trees.remove(top)
    assert not top.exists()
    assert (outside / "kept").read_text() == "kept"


def test_an_ordinary_user_removes_what_it_locked_itself(top: Path) -> None:
    for folder in (top, *top.parents):
        if folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o005)
    top.chmod(0o777)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(60990, 60990, 60990)
                os.setresuid(60990, 60990, 60990)
            mine = top / "mine"
            for name in ("a", "a/b", "a/b/c", "d", "e"):
                (mine / name).mkdir(parents=True)
            (mine / "a/b/c/file").write_text("x")
            for name, mode in (("a/b/c", 0), ("a/b", 0o400), ("a", 0o500), ("d", 0), ("e", 0o200), ("", 0)):
                (mine / name).chmod(mode)
            trees.remove(mine)
            status = 0 if not os.path.lexists(mine) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_gone_or_is_no_folder(tmp_path: Path) -> None:
    trees.remove(tmp_path / "nothing")
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "link").symlink_to(kept)
    trees.remove(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert kept.is_dir()


@as_root
@pytest.mark.parametrize("where", ["", "deep/below"])
def test_what_is_mounted_is_never_touched_and_the_rest_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    folder = tmp_path / "top"
    point = folder / where / "point"
    point.mkdir(parents=True)
    (folder / "a" / "b").mkdir(parents=True)
    remover = Remover(tmp_path)
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        (point / "of-somebody-else").write_text("kept")
        remover.remove(folder)
        (aside,) = (tmp_path / ".set-aside").iterdir()
        found = list(aside.rglob("of-somebody-else"))
        assert [path.read_text() for path in found] == ["kept"]
        assert not list(aside.rglob("b"))
        assert not folder.exists()
        assert len([record for record in caplog.records if "set aside" in record.getMessage()]) == 1
        remover.try_again()
        found = list(aside.rglob("of-somebody-else"))
        assert [path.read_text() for path in found] == ["kept"]
    finally:
        for place in [path.parent for path in tmp_path.rglob("of-somebody-else")]:
            subprocess.run(["umount", place], check=True)
    remover.try_again()
    assert list(tmp_path.iterdir()) == []


@as_root
def test_what_may_not_be_changed_is_set_aside_until_it_may(tmp_path: Path) -> None:
    folder = tmp_path / "top"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "fixed").write_text("x")
    if subprocess.run(["chattr", "+i", folder / "below" / "fixed"], check=False).returncode:
        pytest.skip("this file system has no immutable files")
    remover = Remover(tmp_path)
    remover.remove(folder)
    assert not folder.exists()
    (fixed,) = tmp_path.rglob(".set-aside/*/*/fixed")
    subprocess.run(["chattr", "-i", fixed], check=True)
    remover.try_again()
    assert list(tmp_path.iterdir()) == []


@as_root
def test_what_cannot_even_be_moved_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "top"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        with pytest.raises(OSError, match="busy"):
            Remover(tmp_path).remove(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
