"""What an app is given, and how each way of ending is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running.interface import AttemptEnded
from wire.messages import AppRef, Cause

SHOW = """
    import json, os, resource, sys
    from pathlib import Path
    import beside
    out = Path(sys.argv[sys.argv.index("--output") + 1])
    print("caution", file=open("/dev/stderr", "w"))
    Path("scratch").write_text("the working directory is writable")
    try:
        beside_writable = bool(Path(beside.__file__).write_text("x = 2"))
    except OSError:
        beside_writable = False
    (out / "shown.json").write_text(json.dumps({
        "argv": sys.argv[1:],
        "input": Path(sys.argv[2]).read_text(),
        "model": open("model.txt").read(),
        "beside_writable": beside_writable,
        "stdin": sys.stdin.read(),
        "fds": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
        "environment": dict(os.environ),
        "groups": os.getgroups(),
        "uid": os.getuid(),
        "cpus": len(os.sched_getaffinity(0)),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "umask": os.umask(0),
    }))
"""


def test_an_app_gets_its_files_its_input_and_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_BROKER_PASSWORD_FILE", "/secret")
    kept_open = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(kept_open, True)
    app = bench.app(SHOW, {"beside.py": "x = 1", "model.txt": "weights"}, outputs=("shown.json",))
    (bench.share / "inputs" / "job").mkdir()
    (bench.share / "inputs" / "job" / "in.csv").write_text("1,2\n")
    order = bench.order(app, input="inputs/job/in.csv", parameters={"size": "3", "name": "a b"})
    ended, log = asyncio.run(bench.run(order))
    os.close(kept_open)
    assert (ended.cause, ended.exit_code, ended.message, log) == (Cause.OK, 0, "", ["caution"])
    assert ended.log_lines == 1
    assert ended.usage.wall_s > 0
    (output,) = ended.outputs
    committed = bench.share / "results" / "job" / "1" / "shown.json"
    assert (output.name, output.size) == ("shown.json", committed.stat().st_size)
    shown = json.loads(committed.read_text())
    assert shown["argv"][0] == "--input"
    assert shown["argv"][1].endswith("/in.csv")
    assert shown["argv"][2] == "--output"
    assert shown["argv"][4:] == ["--size", "3", "--name", "a b"]
    assert (shown["input"], shown["model"], shown["stdin"]) == ("1,2\n", "weights", "")
    assert shown["fds"] == [0, 1, 2]
    assert shown["environment"]["SKERRY_JOB"] == "job"
    assert shown["environment"]["OMP_NUM_THREADS"] == "1"
    assert "SKERRY_BROKER_PASSWORD_FILE" not in shown["environment"]
    assert (shown["cpus"], shown["core"], shown["umask"]) == (1, [0, 0], 0o077)
    if os.geteuid() == 0:
        assert shown["uid"] == bench.uid(0)
        assert len(shown["groups"]) == 1
        assert shown["beside_writable"]  # in its own copy: see test_own_folders.py


@pytest.mark.parametrize(
    ("script", "limits", "cause", "words"),
    [
        ("raise ValueError('no such column')", {}, Cause.APP_ERROR, "ValueError: no such column"),
        ("import sys; sys.exit(3)", {}, Cause.APP_ERROR, "exited with status 3"),
        ("import os; os.abort()", {}, Cause.APP_ERROR, "SIGABRT"),
        ("import time; time.sleep(60)", {"timeout_s": 0.3}, Cause.TIMEOUT, "longer than the 0.3 s"),
        ("x = bytearray(300_000_000); import time; time.sleep(60)", {}, Cause.OUT_OF_MEMORY, "of the 200 MB"),
        ("x = bytearray(10**11)", {}, Cause.OUT_OF_MEMORY, "MemoryError"),
        ("open('big', 'wb').write(bytes(60_000_000))", {}, Cause.APP_ERROR, "a file may have the 50 MB"),
        (
            "for n in range(9): open(str(n), 'wb').write(bytes(10_000_000))\nimport time; time.sleep(60)",
            {},
            Cause.APP_ERROR,
            "to the disk; it asked for 50 MB",
        ),
        (
            "import tempfile\nkept = [tempfile.TemporaryFile() for n in range(9)]\n"
            "for f in kept: f.write(bytes(10_000_000)); f.flush()\nimport time; time.sleep(60)",
            {},
            Cause.APP_ERROR,
            "to the disk; it asked for 50 MB",
        ),
    ],
    ids=["error", "status", "signal", "timeout", "memory", "allocation", "file", "disk", "unnamed"],
)
def test_each_end_is_told_by_its_cause(
    bench: Bench, script: str, limits: dict[str, float], cause: Cause, words: str
) -> None:
    began = time.monotonic()
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script), limits=limits)))
    assert ended.cause is cause
    assert words in ended.message
    assert time.monotonic() - began < 10


def test_memory_is_that_of_all_processes_together(bench: Bench) -> None:
    script = """
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                x = bytearray(90_000_000)
                time.sleep(60)
        time.sleep(60)
    """
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.OUT_OF_MEMORY
    assert ended.usage.peak_memory_mb > 200


def test_memory_shared_by_processes_counts_once(bench: Bench) -> None:
    script = """
        import os, time
        x = bytearray(120_000_000)
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(0.5)
                os._exit(0)
        for _ in range(3):
            os.wait()
    """
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.OK


def test_a_log_is_read_while_it_grows_and_to_its_last_line(bench: Bench) -> None:
    async def follow() -> None:
        running = await bench.launch(
            bench.order(bench.app("print('one'); input_ = __import__('time').sleep(0.5)\nprint('end', end='')"))
        )
        seen: list[str] = []
        for _ in range(100):
            seen += running.read_log(len(seen))
            if seen:
                break
            await asyncio.sleep(0.02)
        assert seen == ["one"]
        await running.wait()
        assert running.read_log(1) == ["end"]
        ended = await running.finish()
        assert ended.log_lines == 2
        assert await running.finish() == ended
        running.discard()
        running.discard()
        assert list((bench.settings.state_dir / "attempts").iterdir()) == []

    asyncio.run(follow())


def test_cancel_ends_the_whole_group(bench: Bench) -> None:
    script = """
        import os, subprocess, sys, time
        children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], start_new_session=True)]
        print(os.getpid(), children[0].pid, flush=True)
        time.sleep(99)
    """

    async def cancel() -> None:
        running = await bench.launch(bench.order(bench.app(script)))
        while not running.read_log(0):
            await asyncio.sleep(0.02)
        pids = [int(pid) for pid in running.read_log(0)[0].split()]
        running.cancel()
        running.cancel()
        await asyncio.wait_for(running.wait(), 5)
        running.cancel()
        assert (await running.finish()).cause is Cause.CANCELLED
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)

    asyncio.run(cancel())


def test_cancel_right_after_the_launch(bench: Bench) -> None:
    async def cancel() -> None:
        for number in range(5):
            running = await bench.launch(bench.order(bench.app("import time; time.sleep(99)"), job=f"job{number}"))
            running.cancel()
            await asyncio.wait_for(running.wait(), 5)
            assert (await running.finish()).cause is Cause.CANCELLED

    asyncio.run(cancel())


def test_what_an_app_leaves_running_ends_with_it(bench: Bench) -> None:
    script = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setsid()
                print(os.getpid(), flush=True)
                time.sleep(99)
            os._exit(0)
        time.sleep(0.3)
    """
    began = time.monotonic()
    ended, log = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.OK
    assert not Path(f"/proc/{log[0]}").exists()
    assert time.monotonic() - began < 5


def test_an_app_that_is_not_on_the_share_is_the_nodes_trouble(bench: Bench) -> None:
    with pytest.raises(AttemptEnded) as caught:
        asyncio.run(bench.run(bench.order(AppRef("gone", "0" * 64))))
    assert caught.value.ended.cause is Cause.REJECTED
    assert not (bench.settings.state_dir / "cache" / ("0" * 64)).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to mount")
def test_a_full_disk_is_the_nodes_trouble(bench: Bench) -> None:
    state = bench.settings.state_dir
    app = bench.app("print('ran')")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", state / "attempts"], check=True)
    try:
        (state / "attempts" / "filling").write_bytes(bytes(64 * 1024))
        (bench.share / "inputs" / "job").mkdir()
        (bench.share / "inputs" / "job" / "in").write_text("some input")
        with pytest.raises(AttemptEnded) as caught:
            asyncio.run(bench.run(bench.order(app, input="inputs/job/in")))
    finally:
        subprocess.run(["umount", state / "attempts"], check=True)
    assert caught.value.ended.cause is Cause.REJECTED
    assert "No space left" in caught.value.ended.message


def test_a_shutdown_of_the_machine_is_no_fault_of_the_app(bench: Bench) -> None:
    async def shut_down() -> None:
        running = await bench.launch(bench.order(bench.app("import time; time.sleep(99)")))
        keeper = bench.runner._room(bench.order(AppRef("", ""))).wait_for_keeper_pid()
        os.kill(keeper, signal.SIGTERM)
        await asyncio.wait_for(running.wait(), 5)
        assert (await running.finish()).cause is Cause.NODE_LOST

    asyncio.run(shut_down())


def test_what_lies_deeper_than_a_path_reaches_is_counted_as_the_apps_disk(bench: Bench) -> None:
    script = """
        import os, time
        for _ in range(30):
            os.mkdir("x" * 200)
            os.chdir("x" * 200)
        for number in range(6):
            open(str(number), "wb").write(bytes(15_000_000))
        time.sleep(60)
    """
    ended, _ = asyncio.run(bench.run(bench.order(bench.app(script))))
    assert ended.cause is Cause.APP_ERROR
    assert "to the disk; it asked for 50 MB" in ended.message
