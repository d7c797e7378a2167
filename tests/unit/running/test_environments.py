"""One environment per app version, made once, kept within bounds, and never left half made."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running.interface import AttemptEnded, Recovered
from node_scripts.running.sandbox import SandboxRunner
from wire.messages import AppRef, Cause


def wheel(name: str) -> bytes:
    """A package with one module, which says who installed it when it is imported."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}.py", "word = 'from the wheel'\n")
        archive.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(
            f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.dist-info/entry_points.txt", f"[console_scripts]\n{name} = {name}:word\n")
        archive.writestr(f"{name}-1.dist-info/RECORD", "")
    return packed.getvalue()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def with_wheel(bench: Bench, script: str = "import tiny; print(tiny.word)") -> AppRef:
    files: dict[str, str | bytes] = {
        "requirements.txt": "./tiny-1-py3-none-any.whl\n",
        "tiny-1-py3-none-any.whl": wheel("tiny"),
    }
    return bench.app(script, files)


def test_two_jobs_at_once_have_it_made_once(bench: Bench) -> None:
    app = with_wheel(bench)

    async def both() -> list[tuple[Cause, list[str]]]:
        orders = [bench.order(app, job=f"job{n}", limits={"timeout_s": 20}) for n in (0, 1)]
        return [
            (ended.cause, log) for ended, log in await asyncio.gather(*(bench.run(o, n) for n, o in enumerate(orders)))
        ]

    outcomes = asyncio.run(both())
    assert [cause for cause, _ in outcomes] == [Cause.OK, Cause.OK]
    assert [log[-1] for _, log in outcomes] == ["from the wheel"] * 2
    assert sum("installed the requirements" in log[0] for _, log in outcomes) == 1
    assert bench.said.count(("building the environment", "")) == 1
    entry = bench.settings.state_dir / "cache" / app.version
    assert sorted(path.name for path in entry.iterdir()) == ["app", "entry.json", "env"]
    if os.geteuid() == 0:
        owners = {path.lstat().st_uid for path in entry.rglob("*")}
        assert owners == {0}
    assert (entry / "env" / "bin" / "tiny").read_text().count(f"{entry}/env/bin/python") == 1


def test_a_failed_installation_is_the_apps_end_and_stands_in_its_log(bench: Bench) -> None:
    app = bench.app("print('never')", {"requirements.txt": "no-such-package-here==1\n"})
    ended, log = asyncio.run(bench.run(bench.order(app)))
    assert ended.cause is Cause.APP_ERROR
    assert "No matching distribution found for no-such-package-here" in ended.message
    assert any("no-such-package-here" in line for line in log)
    assert ended.log_lines == len(log)
    assert not (bench.settings.state_dir / "cache" / app.version).exists()


def test_a_network_that_is_away_is_the_nodes_trouble(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(AttemptEnded) as caught:
        asyncio.run(bench.run(bench.order(bench.app("pass", {"requirements.txt": "no-such-package-here\n"}))))
    assert caught.value.ended.cause is Cause.REJECTED


SPY_BACKEND = """
import os, sys, time
def build_wheel(directory, settings=None, metadata=None):
    print("uid", os.getuid(), "share", os.path.exists("{share}"), file=sys.stderr, flush=True)
    {then}
"""


def hostile(bench: Bench, then: str) -> AppRef:
    project = '[build-system]\nrequires = []\nbuild-backend = "spy"\nbackend-path = ["."]\n'
    project += '[project]\nname = "spy"\nversion = "1"\n'
    files = {
        "requirements.txt": "./spy\n",
        "spy/pyproject.toml": project,
        "spy/spy.py": SPY_BACKEND.format(share=bench.share / "apps", then=then),
    }
    return bench.app("pass", files)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root's rights")
def test_building_a_package_has_no_more_rights_than_an_app(bench: Bench) -> None:
    ended, log = asyncio.run(bench.run(bench.order(hostile(bench, "raise SystemExit(1)"))))
    assert ended.cause is Cause.APP_ERROR
    assert any(f"uid {bench.uid(0)} share False" in line for line in log), log


def test_a_cancelled_preparation_leaves_nothing(bench: Bench) -> None:
    app = hostile(bench, "os.fork() or os.setsid(); time.sleep(99)")

    async def cancel() -> None:
        order = bench.order(app)
        task = asyncio.create_task(bench.runner.prepare(order, 0, bench.say))
        while len(builders(app)) < 2:  # pip, and what it runs
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        bench.runner.forget(order)

    asyncio.run(cancel())
    assert not (bench.settings.state_dir / "cache" / app.version).exists()
    assert not builders(app)
    assert list((bench.settings.state_dir / "attempts").iterdir()) == []


def test_an_agent_that_dies_while_it_builds_leaves_no_half_environment(bench: Bench) -> None:
    slow = hostile(bench, "time.sleep(99)")
    bench.runner.close()
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(SandboxRunner(bench.settings).prepare(bench.order(slow), 0, bench.say))
        finally:
            os._exit(1)
    wait_until(lambda: builders(slow))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: not builders(slow))
    bench.runner = SandboxRunner(bench.settings)
    assert bench.runner.recover(bench.order(slow), 0) is Recovered.NOT_LAUNCHED
    ended, _ = asyncio.run(bench.run(bench.order(with_wheel(bench))))
    assert ended.cause is Cause.OK


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def builders(app: AppRef) -> list[Path]:
    return [p for p in Path("/proc").glob("[0-9]*/cmdline") if app.version.encode() in read(p)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_the_cache_is_bounded_and_keeps_what_is_in_use(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(cache_apps=2)

    async def fill() -> None:
        apps = [bench.app(f"import time; time.sleep({5 if n == 0 else 0})  # {n}") for n in range(4)]
        oldest = await bench.launch(bench.order(apps[0], job="held"), slot=1)
        for number, app in enumerate(apps[1:]):
            await bench.run(bench.order(app, job=f"job{number}"))
        cached = {path.parent.name for path in (bench.settings.state_dir / "cache").glob("*/entry.json")}
        assert cached == {apps[0].version, apps[3].version}
        oldest.cancel()
        await oldest.wait()
        again, _ = await bench.run(bench.order(apps[1], job="again"))
        assert again.cause is Cause.OK

    asyncio.run(fill())


def test_a_ruin_is_built_again(bench: Bench) -> None:
    app = bench.app("print('whole')")
    ruin = bench.settings.state_dir / "cache" / app.version
    (ruin / "app").mkdir(parents=True)
    (ruin / "app" / "main.py").write_text("print('half")
    ended, log = asyncio.run(bench.run(bench.order(app)))
    assert (ended.cause, log) == (Cause.OK, ["whole"])


def test_a_link_in_an_app_is_not_followed(bench: Bench) -> None:
    app = bench.app("pass")
    (bench.share / "apps" / app.version / "stolen").symlink_to("/etc/shadow")
    with pytest.raises(AttemptEnded) as caught:
        asyncio.run(bench.run(bench.order(app)))
    assert caught.value.ended.cause is Cause.REJECTED
