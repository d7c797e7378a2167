"""An agent that dies and comes back finds its attempts as they are."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running.interface import Recovered
from node_scripts.running.sandbox import SandboxRunner
from wire.messages import Cause, Order


def agent_that_dies(bench: Bench, order: Order, *, prepare_only: bool = False) -> None:
    """Launch the attempt from a process of its own, which SIGKILL ends at once."""
    bench.runner.close()
    child = os.fork()
    if child == 0:
        try:
            runner = SandboxRunner(bench.settings)

            async def live() -> None:
                prepared = await runner.prepare(order, 0, lambda what, detail="": None)
                if not prepare_only:
                    await runner.launch(prepared)
                os.kill(os.getpid(), signal.SIGKILL)

            asyncio.run(live())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    bench.runner = SandboxRunner(bench.settings)


WORK = """
    import sys, time
    print("first", flush=True)
    time.sleep(0.6)
    print("last")
    open(sys.argv[2] + "/out", "w").write("result")
"""


def test_a_running_attempt_is_adopted(bench: Bench) -> None:
    order = bench.order(bench.app(WORK, outputs=("out",)))
    agent_that_dies(bench, order)
    found = bench.runner.recover(order, 0)
    assert not isinstance(found, Recovered)

    async def follow() -> None:
        began = time.monotonic()
        await asyncio.wait_for(found.wait(), 10)
        assert time.monotonic() - began > 0.2
        assert found.read_log(0) == ["first", "last"]
        ended = await found.finish()
        assert (ended.cause, ended.log_lines, ended.outputs[0].name) == (Cause.OK, 2, "out")
        again = bench.runner.recover(order, 0)
        assert not isinstance(again, Recovered)
        await again.wait()
        assert await again.finish() == ended
        again.discard()

    asyncio.run(follow())
    assert bench.runner.recover(order, 0) is Recovered.NOT_LAUNCHED


def test_a_finished_attempt_of_the_same_slot_does_not_disturb_the_one_that_runs(bench: Bench) -> None:
    done = bench.order(bench.app("pass"), job="done")
    assert asyncio.run(bench.run(done))[0].cause is Cause.OK
    order = bench.order(bench.app(WORK, outputs=("out",)))
    agent_that_dies(bench, order)
    assert not isinstance(bench.runner.recover(done, 0), Recovered)
    found = bench.runner.recover(order, 0)
    assert not isinstance(found, Recovered)

    async def follow() -> None:
        await asyncio.wait_for(found.wait(), 10)
        assert (await found.finish()).cause is Cause.OK

    asyncio.run(follow())


def test_an_adopted_attempt_can_be_cancelled_and_keeps_its_user(bench: Bench) -> None:
    order = bench.order(bench.app("import time; time.sleep(99)"))
    agent_that_dies(bench, order)
    found = bench.runner.recover(order, 0)
    assert not isinstance(found, Recovered)
    uid = bench.uid(0)

    async def cancel() -> None:
        found.cancel()
        await asyncio.wait_for(found.wait(), 10)
        assert (await found.finish()).cause is Cause.CANCELLED

    asyncio.run(cancel())
    assert bench.uid(0) == uid


def test_an_attempt_that_ended_meanwhile_is_finished(bench: Bench) -> None:
    order = bench.order(bench.app("import sys; open(sys.argv[2] + '/out', 'w').write('result')", outputs=("out",)))
    agent_that_dies(bench, order)
    record = bench.settings.state_dir / "attempts" / "job.1" / "exit.json"
    deadline = time.monotonic() + 10
    while not record.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    found = bench.runner.recover(order, 0)
    assert not isinstance(found, Recovered)

    async def follow() -> None:
        await asyncio.wait_for(found.wait(), 5)
        assert (await found.finish()).cause is Cause.OK

    asyncio.run(follow())
    assert (bench.share / "results" / "job" / "1" / "out").read_text() == "result"


def test_an_attempt_that_was_only_prepared_is_not_launched(bench: Bench) -> None:
    order = bench.order(bench.app("pass"))
    agent_that_dies(bench, order, prepare_only=True)
    assert bench.runner.recover(order, 0) is Recovered.NOT_LAUNCHED
    assert asyncio.run(bench.run(order))[0].cause is Cause.OK


def test_the_app_dies_with_its_keeper_and_is_lost(bench: Bench) -> None:
    script = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            time.sleep(99)
        print(os.getpid(), flush=True)
        time.sleep(99)
    """
    order = bench.order(bench.app(script))
    agent_that_dies(bench, order)
    room = bench.settings.state_dir / "attempts" / "job.1"
    deadline = time.monotonic() + 10
    while not (room / "log").read_text().endswith("\n") and time.monotonic() < deadline:
        time.sleep(0.02)
    app = int((room / "log").read_text())
    os.kill(int((room / "keeper").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{app}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{app}").exists()
    assert bench.runner.recover(order, 0) is Recovered.LOST
    assert strays("job") == []
    bench.runner.forget(order)
    assert not room.exists()


def test_a_keeper_that_is_killed_before_our_eyes(bench: Bench) -> None:
    script = """
        import os, time
        if os.fork() == 0:
            os.setsid()
        print(os.getpid(), flush=True)
        time.sleep(99)
    """

    async def follow() -> None:
        order = bench.order(bench.app(script))
        running = await bench.launch(order)
        while len(running.read_log(0)) < 2:
            await asyncio.sleep(0.02)
        os.kill(bench.runner._room(order).wait_for_keeper_pid(), signal.SIGKILL)
        await asyncio.wait_for(running.wait(), 5)
        ended = await running.finish()
        assert ended.cause is Cause.NODE_LOST
        assert ended.log_lines == 2
        assert strays("job") == []

    asyncio.run(follow())


@pytest.mark.parametrize("ruin", ["", "{", '{"cause": "ok"'])
def test_a_torn_record_is_no_end(bench: Bench, ruin: str) -> None:
    order = bench.order(bench.app("pass"))
    agent_that_dies(bench, order, prepare_only=True)
    room = bench.settings.state_dir / "attempts" / "job.1"
    (room / "keeper").write_text("1234567")
    (room / ".exit.json.new").write_text(ruin)
    assert bench.runner.recover(order, 0) is Recovered.LOST


def strays(job: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"SKERRY_JOB={job}\0".encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


DEEP = """
    import os, sys
    open(sys.argv[2] + "/out", "w").write("result")
    for _ in range(1100):
        os.mkdir("d")
        os.chdir("d")
"""


def test_folders_as_deep_as_an_app_likes_go_with_the_attempt(bench: Bench) -> None:
    async def leave(job: str) -> None:
        running = await bench.launch(bench.order(bench.app(DEEP, outputs=("out",)), job=job))
        await asyncio.wait_for(running.wait(), 60)
        assert (await running.finish()).cause is Cause.OK
        if job == "discarded":
            running.discard()

    asyncio.run(leave("discarded"))
    assert list((bench.settings.state_dir / "attempts").iterdir()) == []
    asyncio.run(leave("forgotten"))
    bench.runner.forget(bench.order(bench.app(DEEP), job="forgotten"))
    assert list((bench.settings.state_dir / "attempts").iterdir()) == []
    asyncio.run(leave("again"))
    asyncio.run(leave("again"))  # prepared anew over what an earlier try left
    bench.runner.clear([])
    bench.runner.tidy()
    assert list((bench.settings.state_dir / "attempts").iterdir()) == []


def test_what_belongs_to_no_held_attempt_is_cleared_but_not_what_runs(bench: Bench) -> None:
    order = bench.order(bench.app("import time; time.sleep(99)"), job="runs")
    agent_that_dies(bench, order)
    attempts = bench.settings.state_dir / "attempts"
    (attempts / "unknown.1" / "box").mkdir(parents=True)
    (attempts / "held.2").mkdir()
    (attempts / "file").write_text("x")
    bench.runner.clear([bench.order(bench.app("pass"), job="held", attempt=2)])
    assert {path.name for path in attempts.iterdir()} == {"runs.1", "held.2", ".set-aside"}
    bench.runner.tidy()
    assert {path.name for path in attempts.iterdir()} == {"runs.1", "held.2"}
    found = bench.runner.recover(order, 0)
    assert not isinstance(found, Recovered)
    found.cancel()
    asyncio.run(asyncio.wait_for(found.wait(), 10))


def test_an_attempt_that_cannot_be_recovered_does_not_run_on(bench: Bench) -> None:
    order = bench.order(bench.app("import time; time.sleep(99)"))
    agent_that_dies(bench, order)
    room = bench.settings.state_dir / "attempts" / "job.1"
    (room / "keeper").write_text("9" * 30)
    assert bench.runner.recover(order, 0) is Recovered.LOST
    deadline = time.monotonic() + 10
    while not (room / "exit.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (room / "exit.json").exists()
