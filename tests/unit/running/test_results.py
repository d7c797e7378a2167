"""Results reach the share whole, and only as what the app itself left in its output folder."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import results
from wire.messages import Cause


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
