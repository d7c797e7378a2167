"""The ids that apps run as are given out clean, and to nobody while anything of an earlier life may kill by them."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import users
from node_scripts.running.sandbox import SandboxRunner
from node_scripts.running.users import SlotUsers, User, has_processes, has_segments
from wire.messages import Cause

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="without root's rights apps have no users of their own")

BASE = 61950


def pool(folder: Path, **changes: float) -> SlotUsers:
    return SlotUsers(uid_base=BASE, slots=2, owner=folder / "state", registry=folder / "uids", **changes)


def run_as(uid: int, act: Callable[[], object] = lambda: None, *, stays: bool = True) -> int:
    """A process of this user, which has done this; with `stays` it runs on, and hides as well as it can. Its id."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            act()
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # not dumpable: its folder in /proc is root's
            os.write(tell, b"x")
            if stays:
                signal.pause()
        finally:
            os._exit(0)
    os.close(tell)
    assert os.read(ready, 1)
    os.close(ready)
    if not stays:
        os.waitpid(child, 0)
    return child


def ended_by(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder as /tmp is. Not below pytest's own, which no other user can pass."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder)


def test_what_is_left_under_an_id_is_ended_and_removed_before_it_is_given_out(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "SHARED_FOLDERS", (shared,))
    left = run_as(BASE)

    def litter() -> None:
        assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0
        (shared / "deep" / "er").mkdir(parents=True)
        (shared / "file").touch()
        (shared / "link").symlink_to("/etc")

    run_as(BASE, litter, stays=False)
    (shared / "roots").mkdir()
    assert (has_processes(BASE), has_segments(BASE)) == (True, True)
    made = pool(tmp_path)
    assert made.take(0) == User(BASE, BASE)
    assert ended_by(left) == -signal.SIGKILL
    assert (has_processes(BASE), has_segments(BASE)) == (False, False)
    assert [path.name for path in shared.iterdir()] == ["roots"]
    made.close()


def test_an_id_that_does_not_become_clean_is_set_aside_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(users, "kill_user", lambda uid: None)  # as a process that hangs in the kernel takes it
    left = run_as(BASE)
    first, second = pool(tmp_path, clean_within_s=0.1), pool(tmp_path, clean_within_s=0.1)
    try:
        assert first.take(0) == User(BASE + 2, BASE + 2)
        assert f"the user id {BASE} is set aside: a process of it does not end" in caplog.text
        os.kill(left, signal.SIGKILL)
        ended_by(left)
        assert second.take(0) == User(BASE + 3, BASE + 3)
        assert first.take(0) == User(BASE + 2, BASE + 2)
    finally:
        first.close()
        second.close()
    assert pool(tmp_path).take(0) == User(BASE, BASE)


def test_a_claimed_id_that_is_doubted_is_looked_at_again(tmp_path: Path) -> None:
    made = pool(tmp_path)
    user = made.take(0)
    assert made.ready(0) == user
    left = run_as(BASE)
    made.doubt(BASE)
    assert made.ready(0) is None
    assert made.take(0) == user
    assert ended_by(left) == -signal.SIGKILL
    made.close()


def test_an_id_that_a_keeper_of_an_earlier_life_holds_is_not_given_out(tmp_path: Path) -> None:
    before = pool(tmp_path)
    assert before.take(0) == User(BASE, BASE)
    descriptor = before.claim_fd(0)
    assert descriptor is not None
    keeper = os.dup(descriptor)  # inherited
    before.close()
    after = pool(tmp_path)
    assert after.take(0) == User(BASE + 2, BASE + 2)
    os.close(keeper)
    after.close()
    assert pool(tmp_path).take(0) == User(BASE, BASE)


SLEEPS = """
    import sys, time
    print("runs", flush=True)
    time.sleep(60)
"""
WORKS = """
    import sys, time
    time.sleep(1.5)
    open(sys.argv[2] + "/out", "w").write("result")
"""


def dies_over(bench: Bench, *jobs: str) -> None:
    """An agent launches these and is killed, and its journal knows nothing of them."""
    bench.runner.close()
    orders = [bench.order(bench.app(SLEEPS), job=job) for job in jobs]
    child = os.fork()
    if child == 0:
        try:
            runner = SandboxRunner(bench.settings)

            async def live() -> None:
                for slot, order in enumerate(orders):
                    running = await runner.launch(await runner.prepare(order, slot, lambda what, detail="": None))
                    while running.read_log(0) != ["runs"]:
                        await asyncio.sleep(0.02)
                os.kill(os.getpid(), signal.SIGKILL)

            asyncio.run(live())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    bench.runner = SandboxRunner(bench.settings)


def wait_for(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_what_an_earlier_life_left_running_neither_lasts_nor_harms_the_job_in_its_slot(bench: Bench) -> None:
    dies_over(bench, "unknown")
    rooms = bench.settings.state_dir / "attempts"
    bench.runner.clear([])
    order = bench.order(bench.app(WORKS, outputs=("out",)), job="innocent")
    ended, _ = asyncio.run(bench.run(order))
    assert (ended.cause, [one.name for one in ended.outputs]) == (Cause.OK, ["out"])

    def swept() -> bool:
        bench.runner.clear([order])
        bench.runner.tidy()
        return {path.name for path in rooms.iterdir()} == {"innocent.1"}

    wait_for(swept)


def test_an_order_that_comes_again_after_its_journal_was_lost_is_not_ended_by_its_own_earlier_life(
    bench: Bench,
) -> None:
    dies_over(bench, "again")
    order = bench.order(bench.app(WORKS, outputs=("out",)), job="again")
    ended, _ = asyncio.run(bench.run(order))
    assert (ended.cause, ended.message) == (Cause.OK, "")


def test_the_keeper_of_a_build_holds_the_id_that_it_builds_under(bench: Bench) -> None:
    """It outlives a killed agent by a moment, and at its end it kills all that runs under the id."""
    files = {"requirements.txt": "./slow", "slow/setup.py": "import time; time.sleep(60)"}
    order = bench.order(bench.app("print(1)", files))
    registry = users.REGISTRY

    async def build() -> None:
        preparing = asyncio.ensure_future(bench.runner.prepare(order, 0, bench.say))
        installer = bench.settings.state_dir / "attempts" / "job.1" / "installer"
        while not (installer.exists() and installer.read_text()):
            assert not preparing.done()
            await asyncio.sleep(0.05)
        bench.runner._users.close()  # what the agent's death does
        with (registry / str(bench.settings.uid_base)).open() as claim, pytest.raises(BlockingIOError):
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        preparing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await preparing

    asyncio.run(build())
