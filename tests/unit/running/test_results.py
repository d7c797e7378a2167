"""Results reach the share whole, and only as what the app itself left in its output folder."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import files, results
from wire.messages import Cause, OutputFile


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("pass", "did not write out.csv"),
        ("import sys; open(sys.argv[2] + '/other.csv', 'w')", "it wrote other.csv"),
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[2] + '/out.csv')", "is a link"),
        ("import os, sys; os.mkfifo(sys.argv[2] + '/out.csv')", "not an ordinary file"),
        ("import os, sys; os.mkdir(sys.argv[2] + '/out.csv')", "not an ordinary file"),
        ("import os, sys; os.rmdir(sys.argv[2]); os.symlink('/etc', sys.argv[2])", ""),
    ],
    ids=["missing", "other", "link", "pipe", "folder", "swapped"],
)
def test_what_is_no_result_is_refused(bench: Bench, script: str, words: str) -> None:
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script, outputs=("out.csv",)))))
    assert ended.cause is Cause.APP_ERROR
    assert words in ended.message
    assert not (bench.share / "results" / "job" / "1").exists()


def test_results_are_larger_than_they_may_be(bench: Bench) -> None:
    script = (
        "import os, sys\nfor n in 'ab': os.truncate(os.open(f'{sys.argv[2]}/{n}', os.O_CREAT | os.O_RDWR), 40_000_000)"
    )
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script, outputs=("a", "b")))))
    assert ended.cause is Cause.APP_ERROR
    assert "80 MB" in ended.message


def test_a_commit_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    outputs, job = tmp_path / "out", tmp_path / "job"
    outputs.mkdir()
    (outputs / "a").write_text("right")
    (job / ".1.partial").mkdir(parents=True)
    (job / ".1.partial" / "a").write_text("half")
    first = results.commit(outputs, ["a"], job, 1, owner=os.getuid(), limit_mb=1)
    assert (job / "1" / "a").read_text() == "right"
    assert [path.name for path in job.iterdir()] == ["1"]
    assert results.commit(outputs, ["a"], job, 1, owner=os.getuid(), limit_mb=1) == first


def test_what_a_cut_off_commit_has_brought_to_the_disk_is_not_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "STRETCH", 2**20)
    content, written, write = os.urandom(8 * 2**20), 0, os.write
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_bytes(content)

    def breaks(fd: int, data: bytes) -> int:
        nonlocal written
        if written >= 5 * 2**20:
            raise OSError(errno.EIO, "the share is gone")
        done = write(fd, data)
        written += done
        return done

    def commit() -> tuple[OutputFile, ...]:
        return results.commit(
            tmp_path / "out", ["a"], tmp_path / "job", 1, owner=None, limit_mb=10, noted=tmp_path / "stored.json"
        )

    monkeypatch.setattr(os, "write", breaks)
    with pytest.raises(OSError, match="gone"):
        commit()
    # What came after the last stretch may be anything: the machine lost its power, perhaps.
    with (tmp_path / "job" / ".1.partial" / "a").open("r+b") as half:
        half.seek(0, os.SEEK_END)
        half.write(b"no such thing")
    written = 0
    (one,) = commit()
    assert written < 5 * 2**20
    assert (tmp_path / "job" / "1" / "a").read_bytes() == content
    assert (one.size, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_file_of_somebody_else_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("root's")
    with pytest.raises(results.ResultsRefused, match="somebody else"):
        results.commit(tmp_path / "out", ["a"], tmp_path / "job", 1, owner=os.getuid() + 1, limit_mb=1)


def test_a_name_that_is_no_text_is_told(bench: Bench) -> None:
    script = "import os, sys; open(os.path.join(os.fsencode(sys.argv[2]), b'pr\\xe9dictions.csv'), 'w')"
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script, outputs=("predictions.csv",)))))
    assert ended.cause is Cause.APP_ERROR
    assert "it wrote pr\\xe9dictions.csv" in ended.message
