"""What a machine finds that it cannot do, and what is none of its own."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bench import Bench
from support.disks import fill, small_disk

from node_scripts.running import overlay, soundness, view
from node_scripts.running.ballast import BALLAST_BYTES
from node_scripts.running.sandbox import SandboxRunner
from node_scripts.running.users import SlotUsers
from wire.refusals import REFUSALS, Refusal


def kinds(bench: Bench, **how: object) -> list[str]:
    return [one.kind for one in bench.runner.refusals(**how)]  # type: ignore[arg-type]


def no_process() -> int:
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def share_gone(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    (bench.share / "apps").rename(bench.share / "elsewhere")


def results_that_cannot_be_written(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    (bench.share / "results").rmdir()
    (bench.share / "results").touch()


def disk_nearly_full(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(soundness, "LEAST_FREE_MB", 10**9)


def every_user_taken(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SlotUsers, "_lock", lambda users, uid: None)


def no_fork(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "fork", no_process)


def no_namespace(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    if not view.available():
        pytest.skip("this machine lets nobody mount")
    patch.setattr(view, "can_be_made", lambda: False)


def no_overlay(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    bench.runner._overlay = "volatile"
    patch.setattr(overlay, "usable_options", lambda folder, user: None)


TABLE = [
    (disk_nearly_full, Refusal.NO_SPACE, False),
    (share_gone, Refusal.NO_SHARE, False),
    (results_that_cannot_be_written, Refusal.NO_SHARE, False),
    (every_user_taken, Refusal.NO_USER, False),
    (no_fork, Refusal.NO_SANDBOX, True),
    (no_namespace, Refusal.NO_SANDBOX, True),
    (no_overlay, Refusal.NO_SANDBOX, True),
]
"""What is wrong, the refusal, and whether only a thorough look finds it."""


def test_every_refusal_has_its_words() -> None:
    assert set(REFUSALS) == set(Refusal)
    assert all(row.words and row.mending for row in REFUSALS.values())


@pytest.mark.parametrize(("spoil", "kind", "thorough"), TABLE, ids=[one[0].__name__ for one in TABLE])
def test_what_is_wrong_with_the_machine_is_found_and_nothing_else(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Bench, pytest.MonkeyPatch], None],
    kind: Refusal,
    thorough: bool,
) -> None:
    if os.geteuid() != 0 and spoil is every_user_taken:
        pytest.skip("without root's rights apps have no users of their own")
    assert kinds(bench, thorough=True) == []
    assert not list(bench.share.rglob(".able*"))
    spoil(bench, monkeypatch)
    assert kinds(bench, thorough=True) == [kind]
    assert kinds(bench) == ([] if thorough else [kind])


def test_what_an_attempt_has_taken_up_is_not_the_machines(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    with small_disk(tmp_path / "state", tmp_path / "disk", mib=64):
        bench = Bench(tmp_path)
        order = bench.order(bench.app("print(1)"))
        assert kinds(bench) == []
        room = bench.settings.state_dir / "attempts" / "job.1"
        room.mkdir()
        fill(room)
        assert kinds(bench) == [Refusal.NO_SPACE]
        assert kinds(bench, besides=order, thorough=True) == []
        # Where the disk was full without it, it is the machine's.
        (room / "filling").rename(bench.settings.state_dir / "filling")
        assert kinds(bench, besides=order, thorough=True) == [Refusal.NO_SPACE]
        bench.runner.close()


def test_an_agent_begins_on_a_full_disk_by_the_room_that_it_has_kept(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    with small_disk(tmp_path / "state", tmp_path / "disk", mib=64):
        bench = Bench(tmp_path)
        assert kinds(bench) == []
        ballast = bench.settings.state_dir / "ballast"
        assert ballast.stat().st_blocks * 512 >= BALLAST_BYTES
        bench.runner.close()
        filling = fill(bench.settings.state_dir)
        bench.runner = SandboxRunner(bench.settings)
        assert kinds(bench) == [Refusal.NO_SPACE]
        assert not ballast.exists()
        filling.unlink()
        assert kinds(bench) == []
        assert ballast.exists()
        bench.runner.close()
