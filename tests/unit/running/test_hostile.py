"""Apps that mean harm. These need root's rights, as a node's agent has them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import view
from node_scripts.running.logfile import LogReader
from node_scripts.running.sandbox import SandboxUnusable
from node_scripts.running.users import SlotUsers
from wire.messages import Cause, Order

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="without root's rights apps run as the agent's own user")

SPY = """
    import json, os, sys
    def reach(path):
        try:
            if os.path.isdir(path):
                return [f"{path}/{name}" for name in os.listdir(path)]
            return open(path, "rb").read().decode("utf-8", "replace")
        except OSError:
            return None
    print(json.dumps({path: reach(path) for path in sys.argv[3:]}))
    sys.stdout.flush()
    # What can be found without knowing a name.
    for top, folders, files in (step for start in ("/tmp", "/var/tmp", "/dev/shm", "/run") for step in os.walk(start)):
        for name in files:
            try:
                if b"TOP " + b"SECRET" in open(os.path.join(top, name), "rb").read(10_000):
                    print("found", os.path.join(top, name))
            except OSError:
                pass
"""


@pytest.fixture(params=["mounts", "permissions"])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Both kinds of walls: with a view of its own, and where the agent may not mount."""
    if request.param == "permissions":
        monkeypatch.setattr(view, "available", lambda: False)
        for folder in (tmp_path, *tmp_path.parents):
            folder.chmod(folder.stat().st_mode | 0o001)
        (tmp_path / "state").mkdir()
        (tmp_path / "state").chmod(0o711)  # whatever umask the tests before this one left
    elif not view.available():
        pytest.skip("this machine lets nobody mount")
    umask = os.umask(0o077)
    yield request.param
    os.umask(umask)


def spy_order(bench: Bench, paths: Iterable[str | Path], job: str) -> Order:
    return bench.order(bench.app(SPY), job=job, parameters={f"p{n}": str(path) for n, path in enumerate(paths)})


def usable_python() -> Path:
    return Path("/usr/bin/python3")


@pytest.mark.skipif(not usable_python().exists(), reason="needs an interpreter that every user can reach")
def test_an_app_reads_nothing_of_the_node_and_of_others(walls: str, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(python=usable_python())
    secret = "TOP SECRET\n"
    other = bench.app(
        "import sys, time; print('TOP SECRET'); open('mine', 'w').write('TOP SECRET'); "
        "open('/tmp/mine', 'w').write('TOP SECRET'); time.sleep(60)",
        {"weights": secret},
    )
    (bench.share / "inputs" / "other").mkdir()
    (bench.share / "inputs" / "other" / "in.csv").write_text(secret)
    credentials = bench.settings.state_dir / "broker-password"
    credentials.write_text(secret)
    credentials.chmod(0o600)

    async def spy() -> tuple[list[str], list[str]]:
        running = await bench.launch(bench.order(other, job="other", input="inputs/other/in.csv"), slot=1)
        while not running.read_log(0):
            await asyncio.sleep(0.02)
        rooms = bench.settings.state_dir / "attempts" / "other.1"
        targets: list[str | Path] = [
            bench.share,
            bench.share / "inputs/other/in.csv",
            bench.share / "apps" / other.version / "weights",
            credentials,
            bench.settings.state_dir / "attempts",
            rooms,
            rooms / "log",
            rooms / "box/in/in.csv",
            rooms / "box/work/mine",
            rooms / "box/tmp/mine",
            bench.settings.state_dir / "cache",
            bench.settings.state_dir / "cache" / other.version / "app" / "weights",
            f"/proc/{rooms.joinpath('keeper').read_text()}/environ",
            "/root/.ssh",
            "/etc/shadow",
        ]
        _ended, log = await bench.run(spy_order(bench, targets, "spy"), slot=0)
        # Nor what the slot's job before it left, which has the same user.
        before = bench.settings.state_dir / "attempts" / "spy.1"
        _, again = await bench.run(spy_order(bench, [before / "log", before / "box/work", before / "box/out"], "spy2"))
        running.cancel()
        await running.wait()
        return log, again

    log, again = asyncio.run(spy())
    reached = {path: what for path, what in json.loads(log[0]).items() if what and not path.startswith("--")}
    # Where the view begins anew, an empty folder with the way to its own files may stand.
    own = [bench.settings.state_dir, bench.share]
    for path, what in reached.items():
        assert isinstance(what, list), path
        assert all("other" not in name for name in what), path
    assert log[1:] == ([] if walls == "mounts" else log[1:])
    assert not any(str(folder) in line for line in log[1:] for folder in own)
    assert not any(json.loads(again[0]).get(path) for path in json.loads(again[0]) if not path.startswith("--"))


def test_without_the_right_to_mount_an_unreachable_folder_is_said(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(view, "available", lambda: False)
    tmp_path.chmod(0o700)
    with pytest.raises(SandboxUnusable, match="chmod o\\+x"):
        make_bench(python=usable_python())


def test_a_fork_bomb_is_held_and_ended(bench: Bench) -> None:
    script = """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("go", flush=True)
        while True:
            try:
                if os.fork() == 0:
                    os.setsid()
            except OSError:
                pass
    """

    async def bomb() -> None:
        running = await bench.launch(bench.order(bench.app(script), limits={"processes": 20, "memory_mb": 500}))
        while not running.read_log(0):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        uid = bench.uid(0)
        assert 2 <= len(of_user(uid)) <= 20
        running.cancel()
        await asyncio.wait_for(running.wait(), 10)
        assert (await running.finish()).cause is Cause.CANCELLED
        assert of_user(uid) == []

    asyncio.run(bomb())


def test_a_flood_of_output_ends_nothing_but_itself(bench: Bench) -> None:
    script = """
        import os, sys
        line = b"x" * 99 + b"\\n"
        for _ in range(400):
            os.write(1, line * 1000)
        open(sys.argv[2] + "/out", "w").write("done")
    """
    ended, _log = asyncio.run(bench.run(bench.order(bench.app(script, outputs=("out",)))))
    assert (ended.cause, ended.outputs[0].size) == (Cause.OK, 4)
    assert (bench.settings.state_dir / "attempts" / "job.1" / "log").stat().st_size < 17 * 2**20
    assert ended.log_lines == 400_000
    reader = LogReader(bench.settings.state_dir / "attempts" / "job.1" / "log")
    number = 0
    while lines := reader.read(number, 10_000):
        number += len(lines)
        if dropped := reader.dropped_after(number):
            assert dropped > 200_000
            assert "were dropped" in lines[-1]
            number += dropped
    assert number == 400_000


def test_an_app_cannot_end_or_trace_its_keeper_nor_gain_rights(bench: Bench) -> None:
    script = """
        import ctypes, os, signal, subprocess
        for act in (lambda: os.kill(os.getppid(), signal.SIGKILL), lambda: os.setuid(0), lambda: os.nice(-5),
                    lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY)):
            try:
                act()
                print("did it")
            except (OSError, ProcessLookupError) as error:
                print("refused")
        print(ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0))
        print(open("/proc/self/status").read().split("NoNewPrivs:")[1].split()[0])
    """
    ended, log = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.OK
    assert log[:4] == ["refused"] * 4
    assert log[4:] == ["-1", "1"]


def test_hiding_from_proc_hides_no_memory(bench: Bench) -> None:
    script = """
        import ctypes, time
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        x = bytearray(300_000_000)
        time.sleep(60)
    """
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.OUT_OF_MEMORY


def test_what_is_left_in_tmp_goes_with_the_attempt(bench: Bench) -> None:
    if not view.available():
        pytest.skip("this machine lets nobody mount")
    script = "for f in '/tmp', '/var/tmp', '/dev/shm': open(f + '/skerry-test-left', 'w').write('x')"
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.OK
    assert not any(Path(f, "skerry-test-left").exists() for f in ("/tmp", "/var/tmp", "/dev/shm"))
    script = "\nfor n in range(9): open(f'/tmp/{n}', 'wb').write(bytes(10_000_000))"
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script), job="full")))
    assert "to the disk" in ended.message


def test_two_agents_never_share_a_user(tmp_path: Path) -> None:
    first = SlotUsers(uid_base=60950, slots=2, owner=tmp_path / "a", registry=tmp_path / "uids")
    second = SlotUsers(uid_base=60950, slots=2, owner=tmp_path / "b", registry=tmp_path / "uids")
    users = [first.take(0), second.take(0), first.take(1), second.take(1), first.take(0)]
    assert users[0] == users[4]
    assert len({user.uid for user in users if user}) == 4
    first.close()
    assert SlotUsers(uid_base=60950, slots=1, owner=tmp_path / "c", registry=tmp_path / "uids").take(0) == users[0]


def of_user(uid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == uid and "Z" not in (path / "stat").read_text().rpartition(")")[2].split()[0]:
                found.append(int(path.name))
        except OSError:
            pass
    return found
