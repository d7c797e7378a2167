"""An app's own folder: real folders with its files, which it may change, and the next job finds them as they were."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import overlay, trees
from node_scripts.running.interface import Ended
from node_scripts.running.sandbox import SandboxRunner
from wire.messages import Cause

ROOT = os.geteuid() == 0
MODELS = {
    "models/a.json": "1",
    "models/deep/b.json": "2",
    "data/table.csv": "x\n1\n",
    "tools/run.sh": "#!/bin/sh\necho ran",
}
WALKS = """
import os, pathlib
found = sorted(str(path) for path in pathlib.Path(".").rglob("*.json"))
files = [os.path.join(folder, name)[2:] for folder, _, names in os.walk(".") for name in names]
walked = sorted(name for name in files if name.endswith("json"))
here = pathlib.Path(__file__).parent
print(found, walked == found, sorted(path.name for path in here.glob("**/*.json")))
print([os.path.islink(name) for name in ("models", "models/a.json", "main.py")])
print(sum(int(pathlib.Path(name).read_text()) for name in found))
"""
WRITES = """
import os, pathlib, shutil, subprocess
pathlib.Path("beside.txt").write_text("new")
pathlib.Path("models/new.json").write_text("new")
pathlib.Path("models/a.json").write_text("changed")
with open("data/table.csv", "a") as file:
    file.write("2\\n")
pathlib.Path("models/deep/b.json").unlink()
os.makedirs("models/deep/er/still")
os.rename("data", "moved")
os.chmod("beside.txt", 0o400)
os.chmod("models/deep", 0o750)
os.chmod("tools/run.sh", 0o700)
os.utime("main.py", (1, 1))
shutil.copy("main.py", "models/a.json")
print({os.stat(name).st_uid for name in ("main.py", "models", "moved/table.csv")} == {os.getuid()})
print(sorted(os.listdir(".")), pathlib.Path("moved/table.csv").read_text().split(), os.listdir("models/deep"))
print(subprocess.run(["tools/run.sh"], capture_output=True, text=True).stdout.strip())
"""


@pytest.fixture(params=["overlay", "copy"])
def laid(request: pytest.FixtureRequest, make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench that lays apps out in one of the two ways."""
    if request.param == "copy":
        monkeypatch.setattr(overlay, "usable_options", lambda folder, user: None)
    bench = make_bench()
    if request.param == "overlay" and bench.runner._overlay is None:
        # The real probe said so; CI's machine can make them, and there the way must be tested.
        assert not os.environ.get("CI"), "this machine makes no overlays"
        pytest.skip("this machine makes no overlays")
    return bench


def _fingerprint(folder: Path) -> str:
    """All that could have changed in a folder: names, modes, contents."""
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        told.update(f"{path.relative_to(folder)} {status.st_mode:o} {status.st_uid} {status.st_size}".encode())
        if stat.S_ISREG(status.st_mode):
            told.update(path.read_bytes())
    return told.hexdigest()


def test_an_app_finds_its_files_by_walking(laid: Bench) -> None:
    ended, log = asyncio.run(laid.run(laid.order(laid.app(WALKS, MODELS))))
    assert ended.cause is Cause.OK, log
    assert log == [
        "['models/a.json', 'models/deep/b.json'] True ['a.json', 'b.json']",
        "[False, False, False]",
        "3",
    ]


def test_an_app_changes_its_own_folder_and_the_next_job_finds_it_as_it_was(laid: Bench) -> None:
    app = laid.app(WRITES, MODELS)
    (laid.share / "apps" / app.version / "tools/run.sh").chmod(0o755)
    cached = laid.settings.state_dir / "cache" / app.version / "app"
    logs, fingerprints = [], set()
    for number in range(2):
        ended, log = asyncio.run(laid.run(laid.order(app, f"job{number}")))
        assert ended.cause is Cause.OK, (ended, log)
        logs.append(log)
        fingerprints.add(_fingerprint(cached))
    assert logs[0] == logs[1]
    assert logs[0][-1] == "ran"
    assert logs[0][0] == "True"
    assert "'beside.txt'" in logs[0][1]
    assert "['x', '1', '2'] ['er']" in logs[0][1]
    assert len(fingerprints) == 1
    assert not (cached / "beside.txt").exists()
    assert cached.joinpath("models/a.json").read_text() == "1"


def test_two_jobs_at_once_do_not_see_each_others_writing(laid: Bench) -> None:
    app = laid.app(
        """
        import os, pathlib, time
        pathlib.Path("mine").write_text(os.environ["SKERRY_JOB"])
        time.sleep(1)
        print(pathlib.Path("mine").read_text() == os.environ["SKERRY_JOB"], len(os.listdir(".")))
        """
    )

    async def both() -> list[tuple[Ended, list[str]]]:
        return list(await asyncio.gather(*(laid.run(laid.order(app, f"job{n}"), n) for n in range(2))))

    for ended, log in asyncio.run(both()):
        assert (ended.cause, log) == (Cause.OK, ["True 2"])


def test_what_an_app_writes_beside_its_code_is_its_disk_and_what_it_came_with_is_not(laid: Bench) -> None:
    large = {"model.bin": b"\1" * 20_000_000}
    fills = """
        with open("filler", "wb") as file:
            for _ in range(40):
                file.write(b"1" * 1_000_000)
    """
    app = laid.app("print(len(open('model.bin', 'rb').read()))", large)
    ended, log = asyncio.run(laid.run(laid.order(app, "reads", limits={"disk_mb": 10})))
    assert (ended.cause, log) == (Cause.OK, ["20000000"])
    app = laid.app(fills, large)
    ended, _ = asyncio.run(laid.run(laid.order(app, "fills", limits={"disk_mb": 30})))
    assert ended.cause is Cause.APP_ERROR
    assert "disk" in ended.message or "30 MB" in ended.message


@pytest.mark.skipif(not ROOT, reason="only root can make mounts")
def test_nothing_of_an_overlay_outlives_its_attempt(laid: Bench) -> None:
    async def killed() -> None:
        order = laid.order(laid.app("import time\nprint('up', flush=True)\ntime.sleep(60)"))
        running = await laid.launch(order)
        while not running.read_log(0):
            await asyncio.sleep(0.02)
        keeper = laid.runner._room(order).keeper_pid()
        assert keeper is not None
        os.kill(keeper, signal.SIGKILL)
        await asyncio.wait_for(running.wait(), 20)
        assert (await running.finish()).cause is Cause.NODE_LOST
        running.discard()

    asyncio.run(killed())
    state = laid.settings.state_dir
    assert list((state / "attempts").iterdir()) == []
    assert not (state / "aside").exists()
    assert str(state) not in Path("/proc/self/mountinfo").read_text()


def test_a_folder_that_came_read_only_is_the_apps_to_write(laid: Bench) -> None:
    app = laid.app("open('models/new', 'w').write('x'); print(sorted(__import__('os').listdir('models')))", MODELS)
    models = laid.share / "apps" / app.version / "models"
    (models / "empty").mkdir()
    for path in (models / "a.json", models / "empty", models):
        path.chmod(0o500 if path.is_dir() else 0o400)
    ended, log = asyncio.run(laid.run(laid.order(app)))
    assert (ended.cause, log) == (Cause.OK, ["['a.json', 'deep', 'empty', 'new']"])


@pytest.mark.skipif(not ROOT, reason="without root's rights the agent's user is the app's")
def test_a_version_in_the_cache_is_out_of_every_apps_reach(laid: Bench) -> None:
    reach = """
        import pathlib, sys
        for path in sys.argv[4:]:
            try:
                print(list(pathlib.Path(path).iterdir()))
            except OSError as error:
                print(type(error).__name__)
    """
    app = laid.app(reach)
    cached = laid.settings.state_dir / "cache" / app.version / "app"
    _, log = asyncio.run(laid.run(laid.order(app, parameters={"p": str(cached)})))
    assert log in (["PermissionError"], ["FileNotFoundError"])
    assert (cached.stat().st_uid, cached.stat().st_mode & 0o077) == (0, 0)


@pytest.mark.skipif(not ROOT, reason="only root can make mounts")
def test_a_version_that_goes_while_an_app_runs_on_it_harms_nobody_else(laid: Bench) -> None:
    """Only a hand from outside can do that: the cache keeps what a keeper holds."""
    app = laid.app("import pathlib, time; print('up', flush=True); time.sleep(1); pathlib.Path('x').touch()", MODELS)

    async def scenario() -> None:
        running = await laid.launch(laid.order(app))
        while not running.read_log(0):
            await asyncio.sleep(0.02)
        trees.remove(laid.settings.state_dir / "cache" / app.version)
        await asyncio.wait_for(running.wait(), 20)
        await running.finish()
        running.discard()
        again = await laid.launch(laid.order(app, "again"))
        await asyncio.wait_for(again.wait(), 20)
        assert (await again.finish()).cause is Cause.OK

    asyncio.run(scenario())
    assert str(laid.settings.state_dir) not in Path("/proc/self/mountinfo").read_text()


def test_a_version_that_an_older_agent_cached_is_cached_anew(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    app = bench.app(WRITES, MODELS)
    (bench.share / "apps" / app.version / "tools/run.sh").chmod(0o755)
    asyncio.run(bench.run(bench.order(app)))
    entry = bench.settings.state_dir / "cache" / app.version
    record = json.loads((entry / "entry.json").read_text())
    del record["app_is_closed"]
    (entry / "entry.json").write_text(json.dumps(record))
    for path in (entry / "app").rglob("*"):
        os.chown(path, -1, record["gid"] or -1)
    ended, log = asyncio.run(bench.run(bench.order(app, "again")))
    assert ended.cause is Cause.OK, log


def test_a_cache_of_an_agent_that_worked_otherwise_is_made_usable(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    app = bench.app(WRITES, MODELS)
    (bench.share / "apps" / app.version / "tools/run.sh").chmod(0o755)
    probe = overlay.usable_options
    for number, found in enumerate((lambda folder, user: None, probe, lambda folder, user: None)):
        monkeypatch.setattr(overlay, "usable_options", found)
        bench.runner.close()
        bench.runner = SandboxRunner(bench.settings)
        ended, log = asyncio.run(bench.run(bench.order(app, f"job{number}")))
        assert ended.cause is Cause.OK, (number, ended, log)
