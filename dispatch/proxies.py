"""Which nodes have no agent, and the agent's core at work for each of them in this process.

A node's row is the truth: while it stands with a known machine and is not removed, an agent's core works for it, on a
journal of its own. To the scheduler it is a node like any other, with a user and queues at the broker; the password is
made here, and only here is it known.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import shutil
from pathlib import Path
from typing import Any, Final

import peewee

from dispatch.line import Line, Reached
from dispatch.measuring import FarMachine, measure
from dispatch.plays import Plays
from dispatch.runner import DispatchRunner
from node_scripts.agent import Agent, AgentError
from node_scripts.running.rooms import make_folder, write_whole
from node_scripts.settings import NodeSettings
from webfront.broker.admission import admit, dismiss
from webfront.broker.management import Management
from webfront.database import models
from webfront.database.models import Node
from webfront.errors import SkerryError
from webfront.fleet.agentless import machine_of
from webfront.fleet.states import NodeState
from webfront.settings import Settings
from wire import topology

_log = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
_AGAIN_S: Final = 5.0
_STOP_S: Final = 8.0


class Proxy:
    """One node without an agent, and the agent's core for it."""

    def __init__(self, settings: Settings, node: Reached, *, plays: Plays, identity: Path, kit: Path) -> None:
        self.node = node
        self._settings = settings
        self._plays = plays
        self.folder = settings.state_dir / "dispatch" / "nodes" / node.name
        make_folder(self.folder, 0o700)
        self.machine = FarMachine(self.folder / "measured.json", settings.agentless_measure_s, self._measure_again)
        line = Line(node, identity, self.folder, kit)
        self._runner = DispatchRunner(line, plays, self.folder, settings.share_dir, self.machine)
        self._agent: Agent | None = None
        self._work = asyncio.create_task(self._keep_working(), name=f"agent of {node.name}")

    def known(self) -> tuple[int, tuple[str, ...]]:
        return self._runner.known()

    async def stop(self) -> None:
        """Let go of everything. What runs on the machine runs on."""
        self._runner.stopping = True
        if self._agent is not None:
            self._agent.stop()
            await asyncio.wait([self._work], timeout=_STOP_S)
        self._work.cancel()
        self._runner.let_go()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._work

    async def _keep_working(self) -> None:
        while not self._runner.stopping:
            try:
                password = await asyncio.to_thread(self._admit)
                address = dataclasses.replace(
                    self._settings.broker_address(), user=topology.node_user(self.node.name), password=password
                )
                self._agent = Agent(self._agent_settings(), self._runner, elsewhere=self.machine, address=address)
                await self._agent.run()
            except (SkerryError, AgentError, OSError) as error:
                _log.error("%s cannot be worked for now: %s", self.node.name, error)
            except Exception:
                _log.exception("what works for %s begins anew", self.node.name)
            self._agent = None
            self._runner.let_go()
            if not self._runner.stopping:
                await asyncio.sleep(_AGAIN_S)

    def _agent_settings(self) -> NodeSettings:
        return NodeSettings(
            node_id=self.node.name,
            state_dir=self.folder,
            share_dir=self._settings.share_dir,
            broker_url=self._settings.broker_url,
            broker_password_file=self.folder / "broker-password",
            slots=self.node.slots,
        )

    def _admit(self) -> str:
        """The node's place at the broker; its password."""
        file = self.folder / "broker-password"
        try:
            password = file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            password = secrets.token_urlsafe(30)
            write_whole(file, password.encode())
        admit(Management.of(self._settings), self.node.name, password)
        return password

    async def _measure_again(self) -> bool:
        return self.node.name in await measure(self._plays, {self.node.name: self}, benchmark=True)


class Proxies:
    """All nodes without an agent."""

    def __init__(self, settings: Settings, *, plays: Plays, identity: Path, kit: Path) -> None:
        self._settings = settings
        self._plays = plays
        self._identity = identity
        self._kit = kit
        self._proxies: dict[str, Proxy] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Follow the rows, until cancelled."""
        measuring = asyncio.create_task(self._keep_measuring(), name="measuring")
        try:
            while True:
                if measuring.done():
                    measuring.result()
                try:
                    rows = await asyncio.to_thread(self._rows)
                except peewee.PeeweeException as error:
                    _log.warning("the nodes cannot be read: %s", error)
                else:
                    await self._follow(*rows)
                await asyncio.sleep(_LOOK_S)
        finally:
            measuring.cancel()
            self._plays.stopping = True
            await asyncio.gather(*(one.stop() for one in self._proxies.values()), return_exceptions=True)

    def _rows(self) -> tuple[dict[str, Reached], dict[str, bool]]:
        """The nodes to work for; of others that have left a folder, whether they are no more."""
        with models.database.obj.connection_context():
            found, standing = {}, set()
            for row in Node.select().where(Node.machine.is_null(False) & (Node.state != NodeState.REMOVED)):
                standing.add(row.name)
                if (machine := machine_of(row)) is not None:
                    found[row.name] = Reached(
                        row.name, row.address, row.ssh_port, row.ssh_user, row.host_key, row.slots, machine
                    )
            folder = self._settings.state_dir / "dispatch" / "nodes"
            left = {path.name for path in folder.iterdir()} - standing if folder.is_dir() else set()
            others = {row.name for row in Node.select(Node.name).where(Node.state != NodeState.REMOVED)}
        return found, {name: name not in others for name in left}

    def _clear(self, name: str, is_removed: bool) -> None:
        """What a node has left here; nothing writes there any more."""
        if is_removed:
            # It was dismissed; should it have been let in again in that very moment, this ends it.
            try:
                dismiss(Management.of(self._settings), name)
            except SkerryError as error:
                _log.warning("%s cannot be dismissed now: %s", name, error)
                return
        shutil.rmtree(self._settings.state_dir / "dispatch" / "nodes" / name, ignore_errors=True)

    async def _follow(self, nodes: dict[str, Reached], gone: dict[str, bool]) -> None:
        for name, proxy in list(self._proxies.items()):
            if nodes.get(name) != proxy.node:
                del self._proxies[name]
                await proxy.stop()
        for name, is_removed in gone.items():
            await asyncio.to_thread(self._clear, name, is_removed)
        for name, node in nodes.items():
            if name not in self._proxies:
                proxy = Proxy(self._settings, node, plays=self._plays, identity=self._identity, kit=self._kit)
                self._proxies[name] = proxy
                # Not after a minute: somebody may be waiting for it.
                task = asyncio.create_task(measure(self._plays, {name: proxy}))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _keep_measuring(self) -> None:
        while True:
            await asyncio.sleep(self._settings.agentless_measure_s)
            if self._proxies:
                await measure(self._plays, dict(self._proxies))
