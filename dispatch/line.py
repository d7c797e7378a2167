"""The way to a machine without an agent: the kit called over SSH, with the platform's key and the pinned host key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
from pathlib import Path
from typing import Any, Final

import msgspec

from webfront.fleet.agentless import Machine
from webfront.plays.inventory import known_hosts, ssh_options

_ALIVE: Final = ("ServerAliveInterval=5", "ServerAliveCountMax=3", "BatchMode=yes", "IdentitiesOnly=yes")
LONGEST_LINE: Final = 2**20


class Reached(msgspec.Struct, frozen=True):
    """A node without an agent, as far as reaching it goes."""

    name: str
    address: str
    port: int
    user: str
    host_keys: str
    slots: int
    machine: Machine

    @property
    def becomes(self) -> bool:
        return self.machine.as_root and self.user != "root"


class Line:
    """Calls to one machine. `folder` is the node's own on the controller, for its known_hosts."""

    def __init__(self, node: Reached, identity: Path, folder: Path, kit: Path) -> None:
        self.node = node
        self._identity = identity
        self._kit = kit
        self._known_hosts = folder / "known_hosts"
        self._known_hosts.write_text(known_hosts(node.name, node.host_keys), encoding="utf-8")

    def argv(self, *command: str) -> list[str]:
        """The program that has the kit do this, on the machine."""
        node = self.node
        root = node.machine.root
        call = [node.machine.python, "-I", f"{root}/kit/{self._kit.name}", root, *command]
        if node.becomes:
            call = ["sudo", "-n", "--", *call]
        options = [part for one in (*ssh_options(node.name, self._known_hosts), *_ALIVE) for part in ("-o", one)]
        way = ["-i", str(self._identity), "-p", str(node.port), "-l", node.user, node.address]
        return ["ssh", "-F", "/dev/null", "-T", *options, *way, shlex.join(call)]

    async def open(self, *command: str) -> asyncio.subprocess.Process:
        """The call, with its input and output; it ends with this process, since its input does."""
        return await asyncio.create_subprocess_exec(
            *self.argv(*command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST_LINE,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )

    async def call(self, *command: str, within_s: float) -> Any:
        """What the call answers; None where it could not be made or did not answer in time."""
        process = await self.open(*command)
        try:
            said, _ = await asyncio.wait_for(process.communicate(b""), within_s)
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        # What a login shell says comes before.
        for line in reversed(said.splitlines()):
            with contextlib.suppress(ValueError):
                return json.loads(line) if process.returncode == 0 else None
        return None
