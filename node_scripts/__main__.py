"""`python -m node_scripts agent | benchmark | check`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time

from node_scripts.settings import NodeSettings
from wire.settings import SettingsError, misspelt

_USAGE = """usage: python -m node_scripts COMMAND

  agent      run the node agent until SIGTERM; apps that run are left running
  benchmark  measure this node's events per second and keep the figure for the agent's heartbeats
  check      say what would keep the agent from working

Settings come from the environment; docs/architecture.md lists them."""


def main(arguments: list[str]) -> int:
    """Run one command. 0 if it went well, 1 if something is wrong, 2 for a wrong call."""
    match arguments:
        case ["check"]:
            from node_scripts.check import check

            return 0 if check(os.environ, print) else 1
        case ["agent"]:
            command = _agent
        case ["benchmark"]:
            command = _benchmark
        case ["-h" | "--help"]:
            print(_USAGE)
            return 0
        case _:
            print(_USAGE, file=sys.stderr)
            return 2
    try:
        return command(NodeSettings.from_environment())
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _benchmark(settings: NodeSettings) -> int:
    from node_scripts import benchmark

    figure = benchmark.measure()
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        benchmark.store(settings.state_dir, benchmark.Benchmark(figure, time.time()))
    except OSError as error:
        print(f"error: the figure cannot be kept: {error}", file=sys.stderr)
        return 1
    print(f"{figure} events per second")
    return 0


def _agent(settings: NodeSettings) -> int:
    from wire.logs import configure_logging

    configure_logging("agent", level=settings.log_level, node=settings.node_id)
    for sentence in misspelt(os.environ):
        logging.getLogger("node_scripts").warning("%s", sentence)
    # Now, so that no module that only one command needs is in the others' memory.
    from node_scripts.agent import Agent, AgentError
    from node_scripts.running.interpreter import InterpreterUnusable
    from node_scripts.running.sandbox import SandboxRunner, SandboxUnusable
    from wire.structs import prepare_structs

    prepare_structs()

    async def run() -> None:
        agent = Agent(settings, SandboxRunner(settings))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        await agent.run()

    try:
        asyncio.run(run())
    except (AgentError, SandboxUnusable, InterpreterUnusable) as error:
        logging.getLogger("node_scripts").critical("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
