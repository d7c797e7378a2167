"""Runs one job with the agent's own runner, on a node, as root: job.py SHARE VERSION INPUT. Prints how it ended.

What the agent adds to this is its talk with the broker, which the tests with a broker show.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node_scripts.running.sandbox import SandboxRunner
from wire.messages import AppRef, Order, Resources


@dataclass
class Settings:
    share_dir: Path
    state_dir: Path = Path("/var/lib/skerry-agent")
    slots: int = 1
    uid_base: int = 60600
    cache_apps: int = 20
    cache_mb: int = 4096
    python: Path = Path("/usr/bin/python3")


async def run(share: Path, version: str, given: str) -> None:
    runner = SandboxRunner(Settings(share))
    order = Order(
        job="job",
        attempt=1,
        app=AppRef("test", version, outputs=("out.csv",)),
        input=given,
        resources=Resources(memory_mb=300, timeout_s=120.0, disk_mb=100),
    )
    running = await runner.launch(await runner.prepare(order, 0, lambda what, detail="": None))
    await running.wait()
    print(json.dumps(msgspec.to_builtins(await running.finish())))
    runner.close()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
