"""A real runner in a temporary folder, and apps written on the spot. As root, apps run as users of their own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from node_scripts.running.interface import Ended, RunningAttempt
from node_scripts.running.sandbox import SandboxRunner
from wire.messages import AppRef, Order, Resources


@dataclass
class Settings:
    state_dir: Path
    share_dir: Path
    slots: int = 2
    uid_base: int = 60900
    cache_apps: int = 20
    cache_mb: int = 4096
    python: Path = field(default_factory=lambda: Path(getattr(sys, "_base_executable", sys.executable)))


class Bench:
    """A node's folders and runner, and short words for what a test does with them."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.share = folder / "share"
        for name in ("apps", "inputs", "results"):
            (self.share / name).mkdir(parents=True, exist_ok=True)
        self.share.chmod(0o700)
        self.settings = Settings(folder / "state", self.share, **settings)  # type: ignore[arg-type]
        self.runner = SandboxRunner(self.settings)
        self.said: list[tuple[str, str]] = []

    def app(
        self, script: str, files: Mapping[str, str | bytes] | None = None, *, outputs: tuple[str, ...] = ()
    ) -> AppRef:
        """An app version on the share: `main.py` and further files."""
        contents = {"main.py": textwrap.dedent(script), **(files or {})}
        version = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()
        for name, content in contents.items():
            path = self.share / "apps" / version / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        requirements = "requirements.txt" if "requirements.txt" in contents else None
        return AppRef("test", version, requirements=requirements, outputs=outputs)

    def order(
        self,
        app: AppRef,
        job: str = "job",
        attempt: int = 1,
        limits: Mapping[str, float] | None = None,
        **more: object,
    ) -> Order:
        resources = msgspec.structs.replace(Resources(memory_mb=200, timeout_s=20.0, disk_mb=50), **(limits or {}))
        return Order(job=job, attempt=attempt, app=app, resources=resources, **more)  # type: ignore[arg-type]

    def say(self, what: str, detail: str = "") -> None:
        self.said.append((what, detail))

    async def launch(self, order: Order, slot: int = 0) -> RunningAttempt:
        return await self.runner.launch(await self.runner.prepare(order, slot, self.say))

    async def run(self, order: Order, slot: int = 0) -> tuple[Ended, list[str]]:
        running = await self.launch(order, slot)
        await asyncio.wait_for(running.wait(), 30)
        return await running.finish(), running.read_log(0, 10_000)

    def uid(self, slot: int = 0) -> int:
        user = self.runner._users.take(slot)
        return user.uid if user else os.getuid()
