"""The share is reached as its owner: where an export squashes root, jobs run, and results are the platform's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import kernel
from node_scripts.running.share import Share
from wire.messages import Cause

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")

PLATFORM = 61_999
SCRIPT = """
    import os, shutil, sys
    os.makedirs(sys.argv[4] + "/deep")
    shutil.copy(sys.argv[2], sys.argv[4] + "/out.csv")
    open(sys.argv[4] + "/deep/er.csv", "w").write("deep")
"""


@pytest.fixture
def owned() -> Iterator[Bench]:
    """A bench whose share is the platform's own user's, closed to everyone else. (pytest's folders let nobody pass.)"""
    folder = Path(tempfile.mkdtemp(prefix="skerry-share-"))
    folder.chmod(0o711)
    bench = Bench(folder)
    yield bench
    bench.runner.close()
    shutil.rmtree(folder)


def give_away(bench: Bench) -> None:
    for folder, folders, files in os.walk(bench.share):
        for name in (".", *folders, *files):
            path = Path(folder, name)
            os.chown(path, PLATFORM, PLATFORM)
            path.chmod(0o600 if name in files else 0o700)


def test_a_job_runs_on_a_share_that_is_closed_to_everyone_but_its_owner(owned: Bench) -> None:
    order = owned.order(
        owned.app(SCRIPT, {"lib/part.py": ""}, outputs=("out.csv", "deep/er.csv")), input="inputs/j/in.csv"
    )
    (owned.share / "inputs/j").mkdir()
    (owned.share / "inputs/j/in.csv").write_text("1,2,3")
    give_away(owned)
    ended, log = asyncio.run(owned.run(order))
    assert ended.cause is Cause.OK, (ended, log)
    results = owned.share / "results/job"
    assert (results / "1/out.csv").read_text() == "1,2,3"
    made = [results, *results.rglob("*")]
    assert len(made) == 5
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(PLATFORM, PLATFORM)}


def test_what_its_owner_may_not_read_root_does_not_read_for_him(owned: Bench) -> None:
    order = owned.order(owned.app(SCRIPT), input="inputs/in.csv")
    give_away(owned)
    (owned.share / "inputs/in.csv").write_text("root's own")
    (owned.share / "inputs/in.csv").chmod(0o600)
    with pytest.raises(Exception, match="prepare") as refused:
        asyncio.run(owned.run(order))
    assert refused.value.ended.cause is Cause.REJECTED  # type: ignore[attr-defined]
    assert "Permission denied" in refused.value.ended.message  # type: ignore[attr-defined]


def test_results_that_cannot_be_written_are_tried_again(owned: Bench) -> None:
    order = owned.order(owned.app("import sys; open(sys.argv[2] + '/out.csv', 'w')", outputs=("out.csv",)))
    give_away(owned)

    async def scenario() -> None:
        running = await owned.launch(order)
        await asyncio.wait_for(running.wait(), 30)
        (owned.share / "results").chmod(0o500)
        with pytest.raises(PermissionError):
            await running.finish()
        (owned.share / "results").chmod(0o700)
        assert (await running.finish()).cause is Cause.OK

    asyncio.run(scenario())


def test_only_the_thread_that_asks_changes_and_changes_back(owned: Bench) -> None:
    give_away(owned)
    secret = owned.settings.state_dir / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    within, looked = threading.Event(), threading.Event()
    seen: list[str] = []

    def look() -> None:
        within.wait(10)
        seen.append(secret.read_text())
        looked.set()

    other = threading.Thread(target=look)
    other.start()
    with contextlib.suppress(ZeroDivisionError), Share(owned.share).as_owner():
        within.set()
        assert looked.wait(10)
        with pytest.raises(PermissionError):
            secret.read_text()
        raise ZeroDivisionError
    other.join()
    assert seen == [secret.read_text()]


def test_roots_own_share_is_reached_as_root(owned: Bench) -> None:
    for _ in range(2):
        with Share(owned.share).as_owner():
            assert kernel._libc.setfsuid(-1) == 0
        # As long as nothing has a result yet, the folder for them may be missing.
        shutil.rmtree(owned.share / "results", ignore_errors=True)


def test_below_a_folder_of_roots_the_platform_owns_the_share(owned: Bench) -> None:
    give_away(owned)
    os.chown(owned.share, 0, 0)
    with Share(owned.share).as_owner():
        assert kernel._libc.setfsuid(-1) == PLATFORM
