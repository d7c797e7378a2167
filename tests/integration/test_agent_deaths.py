"""The agent as a process, real apps under real keepers, and SIGKILL."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from support.agents import PROJECT, AgentProcess, keepers
from support.node import Controller, order, until

from wire.messages import Cause, Order


def ticking(ticks: int, pause: float) -> Order:
    return order(ticks=str(ticks), pause=str(pause))


def log_of(ticks: int) -> list[str]:
    return [f"tick {tick}" for tick in range(1, ticks + 1)]


def test_killed_again_and_again_it_runs_and_tells_each_attempt_once(
    controller: Controller, agent: AgentProcess
) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            short = [ticking(3, 0.01) for _ in range(10)]
            long = [ticking(40, 0.1) for _ in range(2)]
            await controller.send(*long, *short)
            for _ in range(4):
                await asyncio.sleep(0.7)
                agent.signal(signal.SIGKILL)
                agent.start()
            await until(lambda: len(controller.ends()) == 12, timeout=60)
            for job, ends in controller.ends().items():
                # An end whose confirm the agent did not live to see is told again, word for word.
                assert len(set(ends)) == 1, ends
                assert ends[0].cause is Cause.OK, ends
                ticks = 3 if job in {one.job for one in short} else 40
                assert controller.log_of(job) == log_of(ticks)
                assert ends[0].log_lines == ticks
                assert [output.name for output in ends[0].outputs] == ["predictions.csv"]
                result = controller.directory / "share" / "results" / job / "1" / "predictions.csv"
                assert result.read_text() == f"ticks\n{ticks}\n"
            await until(lambda: controller.heartbeats[-1].held == ())
            # Its folder goes after the last word about it.
            await until(lambda: not any((controller.directory / "state" / "attempts").iterdir()))

    asyncio.run(scenario())


def test_sigterm_leaves_apps_running_for_the_next_start(controller: Controller, agent: AgentProcess) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = ticking(20, 0.15)
            await controller.send(job)
            await until(lambda: len(controller.log_of(job.job)) > 2)
            (keeper,) = keepers(controller)
            assert agent.signal(signal.SIGTERM) < 3
            assert keeper.is_running()
            agent.start()
            await until(lambda: controller.ends()[job.job])
            assert not keepers(controller)
            assert [end.cause for end in controller.ends()[job.job]] == [Cause.OK]
            assert controller.log_of(job.job) == log_of(20)

    asyncio.run(scenario())


def test_an_app_that_ended_while_no_agent_lived_is_finished_by_the_next(
    controller: Controller, agent: AgentProcess
) -> None:
    async def scenario() -> None:
        async with controller.working():
            agent.start()
            job = ticking(10, 0.1)
            await controller.send(job)
            await until(lambda: controller.started(job.job))
            agent.signal(signal.SIGKILL)
            await until(lambda: not keepers(controller))
            assert not controller.ends()
            agent.start()
            await until(lambda: controller.ends()[job.job])
            assert [end.cause for end in controller.ends()[job.job]] == [Cause.OK]
            assert controller.log_of(job.job) == log_of(10)

    asyncio.run(scenario())


def test_a_second_agent_is_refused_and_check_says_what_is_wrong(controller: Controller, agent: AgentProcess) -> None:
    def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "node_scripts", command],
            env={**agent.environment, **environment},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    async def scenario() -> None:
        async with controller.working():
            agent.start()
            await until(lambda: controller.heartbeats)
            second = await asyncio.to_thread(run, "agent")
            assert second.returncode == 1
            assert "another agent works with" in second.stderr
            good = await asyncio.to_thread(run, "check")
            assert good.returncode == 0, good.stdout
            wrong_password = controller.directory / "wrong-password"
            wrong_password.write_text("x" * 30)
            bad = await asyncio.to_thread(
                lambda: run(
                    "check", SKERRY_BROKER_PASSWORD_FILE=str(wrong_password), SKERRY_SHARE_DIR="/nowhere/at/all"
                )
            )
            assert bad.returncode == 1
            assert "refused" in bad.stdout
            assert "/nowhere/at/all is not there" in bad.stdout

    asyncio.run(scenario())
