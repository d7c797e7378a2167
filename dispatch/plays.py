"""The plays about machines without an agent: measuring them, giving them work, fetching results."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from dispatch.line import Reached
from webfront.fleet.views import Secrets
from webfront.plays import hostkeys, private
from webfront.plays.failures import CUT_OFF, NOTHING_RAN, TOO_LONG, explain_output
from webfront.plays.inventory import Machine, SshAccess, Typed, write_agentless
from webfront.plays.outcome import Failure, Target
from webfront.plays.runner import Run, RunEnd, run
from webfront.plays.scrub import Scrubber
from webfront.plays.states import StepState
from webfront.plays.words import PlayStep, Teller

_MOST_AT_ONCE: Final = 4
"""Plays that run side by side, beside the measuring one; each is an ansible-playbook of some 60 MB."""
_LIMIT_S: Final = 3600
_FORKS: Final = 32


class Played(msgspec.Struct, frozen=True):
    """How a play about one machine ended."""

    failure: Failure | None = None
    unreachable: bool = False
    """Only when it failed: the machine was out of reach, which says nothing about how far the play came."""


class Plays:
    """Runs them, each in a thread of its own, with the platform's key."""

    def __init__(self, *, base: Path, project_dir: Path, identity: Path, kit: Path) -> None:
        """`base` is the folder for plays' private directories."""
        self._base = base
        self._project_dir = project_dir
        self._identity = identity
        self._kit = kit
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)
        self.stopping = False

    async def dispatch(
        self, node: Reached, tags: str, variables: Mapping[str, Any], tell: Callable[[str], None]
    ) -> Played:
        """Run `dispatch.yml` about one attempt. `tell` hears each step's name, from another thread.

        Cancelled, the play is stopped before this goes on.
        """
        stop = _Stop(self)
        async with self._places:
            working = asyncio.ensure_future(asyncio.to_thread(self._dispatch, node, tags, dict(variables), tell, stop))
            try:
                return await asyncio.shield(working)
            except asyncio.CancelledError:
                stop.wanted = True
                with contextlib.suppress(Exception):
                    await working
                raise

    async def measure(
        self, nodes: Mapping[str, tuple[Reached, dict[str, Any]]], heard: Callable[[str, Any], None]
    ) -> None:
        """Run `measure.yml` about these machines, with their variables; `heard` gets each one's standard output."""
        await asyncio.to_thread(self._measure, nodes, heard)

    def _measure(self, nodes: Mapping[str, tuple[Reached, dict[str, Any]]], heard: Callable[[str, Any], None]) -> None:
        def hear(event: Mapping[str, Any]) -> None:
            data = event.get("event_data") or {}
            if event.get("event") == "runner_on_ok" and (said := (data.get("res") or {}).get("stdout")):
                heard(str(data.get("host", "")), said)

        self._run("measure.yml", nodes, {}, hear, "", _Stop(self))

    def _dispatch(
        self, node: Reached, tags: str, variables: dict[str, Any], tell: Callable[[str], None], stop: _Stop
    ) -> Played:
        unreachable = False

        def told(step: PlayStep) -> None:
            if step.state is StepState.RUNNING:
                tell(step.step)

        target = Target(node.name, "ssh", node.user, node.address, node.port)
        teller = Teller(target, Scrubber(Secrets()), told)

        def hear(event: Mapping[str, Any]) -> None:
            nonlocal unreachable
            unreachable |= event.get("event") == "runner_on_unreachable"
            teller.hear(event)

        end = self._run("dispatch.yml", {node.name: (node, {})}, variables, hear, tags, stop)
        teller.finish()
        if end is RunEnd.SUCCEEDED:
            return Played(None if teller.tasks_ended else NOTHING_RAN)
        if end is RunEnd.STOPPED:
            return Played(CUT_OFF, unreachable=True)
        if end is RunEnd.TOO_LONG:
            return Played(TOO_LONG, unreachable=True)
        return Played(teller.failure or explain_output(teller.output, target), unreachable)

    def _run(
        self,
        playbook: str,
        nodes: Mapping[str, tuple[Reached, dict[str, Any]]],
        variables: dict[str, Any],
        hear: Callable[[Mapping[str, Any]], None],
        tags: str,
        stop: _Stop,
    ) -> RunEnd:
        with private.private_directory(self._base, 0) as folder:
            hosts = write_agentless(folder, {name: self._host(*one) for name, one in nodes.items()})
            what = Run(
                folder=folder,
                project_dir=self._project_dir,
                playbook=self._project_dir / "playbooks" / playbook,
                inventories=(hosts,),
                variables={"dispatch_kit": str(self._kit), **variables},
                limit_s=_LIMIT_S,
                tags=tags,
                forks=_FORKS,
            )
            return run(what, hear, stop)

    def _host(self, node: Reached, variables: dict[str, Any]) -> tuple[Machine, SshAccess, dict[str, Any]]:
        machine = Machine(name=node.name, connection="ssh", address=node.address, port=node.port, user=node.user)
        access = SshAccess(host_keys=hostkeys.only_keys(node.host_keys), identity=self._identity)
        own = {
            "ansible_python_interpreter": Typed(node.machine.python),
            "dispatch_python": Typed(node.machine.python),
            "dispatch_root": Typed(node.machine.root),
            "dispatch_become": node.becomes,
        }
        return machine, access, {**own, **variables}


class _Stop:
    """Asked by a running play whether it is to be stopped."""

    def __init__(self, plays: Plays) -> None:
        self._plays = plays
        self.wanted = False

    def __call__(self) -> bool:
        return self.wanted or self._plays.stopping
