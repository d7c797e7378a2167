"""`python -m node_scripts check`: what would keep an agent with these settings from working, in words."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import socket
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from node_scripts.running.share import Share
from node_scripts.settings import NodeSettings
from wire.broker import Broker, BrokerAddress
from wire.settings import SettingsError, misspelt

_BROKER_S: Final = 10.0


class Wrong(Exception):
    """Something is not as it must be; the message says what and what to change."""


def check(environ: Mapping[str, str], say: Callable[[str], None]) -> bool:
    """Check everything that can be, saying a line about each. True if an agent can work."""
    try:
        settings = NodeSettings.from_environment(environ)
    except SettingsError as error:
        say(f"WRONG  settings: {error}")
        return False
    for sentence in misspelt(environ):
        say(f"note   settings: {sentence}")
    say(f"ok     settings: node {settings.node_id}, {settings.slots} slots")
    well = True
    for what, look in (("state directory", _state), ("share", _share), ("broker", _broker)):
        try:
            found = look(settings)
        except Wrong as wrong:
            say(f"WRONG  {what}: {wrong}")
            well = False
        else:
            say(f"ok     {what}: {found}")
    return well


def _state(settings: NodeSettings) -> str:
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        _write(settings.state_dir)
    except OSError as error:
        raise Wrong(f"{error}; the agent's user must be able to write there") from error
    return f"{settings.state_dir} can be written"


def _share(settings: NodeSettings) -> str:
    share = settings.share_dir
    if not share.is_dir():
        raise Wrong(f"{share} is not there; mount the share, or correct SKERRY_SHARE_DIR")
    for name in ("apps", "inputs", "results"):
        if not (share / name).is_dir():
            raise Wrong(f"{share / name} is not there; is this the controller's share, and is it mounted?")
    try:
        # As a job will: not as root, whom an export squashes.
        with Share(share).as_owner():
            next((share / "apps").iterdir(), None)
            next((share / "inputs").iterdir(), None)
            _write(share / "results")
    except OSError as error:
        raise Wrong(f"{error}; the agent's user must be able to read apps and inputs and to write results") from error
    return f"{share} can be read and written"


def _write(folder: Path) -> None:
    """Write, fsync and rename a file as results are."""
    beside = folder / f".check-{uuid.uuid4().hex}"
    renamed = folder / f"{beside.name}.renamed"
    try:
        with beside.open("wb") as file:
            file.write(b"skerry")
            file.flush()
            os.fsync(file.fileno())
        beside.rename(renamed)
    finally:
        for path in (beside, renamed):
            path.unlink(missing_ok=True)


def _broker(settings: NodeSettings) -> str:
    try:
        address = settings.broker_address()
    except SettingsError as error:
        raise Wrong(str(error)) from error
    said = []
    for host, port in address.hosts:
        one = dataclasses.replace(address, host=host, port=port, others=())
        try:
            said.append(_broker_host(one, settings.node_id))
        except Wrong as wrong:
            # The broker of one host must answer; of a cluster one is enough, and the others are told.
            said.append(f"WRONG, {wrong}")
    if all(one.startswith("WRONG") for one in said):
        raise Wrong("; ".join(one.removeprefix("WRONG, ") for one in said))
    return "; ".join(said)


def _broker_host(address: BrokerAddress, node: str) -> str:
    where = f"{address.host}:{address.port}"
    try:
        socket.create_connection((address.host, address.port), timeout=_BROKER_S / 2).close()
    except OSError as error:
        raise Wrong(
            f"{where} cannot be reached from here ({error}); check the address, firewalls, and that RabbitMQ runs"
        ) from error
    reason = asyncio.run(_sign_in(address, node))
    if reason is not None:
        raise Wrong(f"{where} answers, but {address.user} could not sign in: {reason}")
    return f"{where} lets {address.user} in"


async def _sign_in(address: BrokerAddress, node: str) -> str | None:
    """Why signing in failed; None if it worked."""
    signed_in = asyncio.Event()
    reasons = _LastMessage()

    async def on_connected() -> None:
        signed_in.set()

    broker = Broker(address, name=f"skerry check {node}", on_connected=on_connected)
    door = logging.getLogger("wire.broker")
    door.addHandler(reasons)
    running = asyncio.create_task(broker.run())
    failed = asyncio.create_task(reasons.said.wait())
    try:
        waits = {asyncio.ensure_future(signed_in.wait()), failed}
        await asyncio.wait(waits, timeout=_BROKER_S, return_when=asyncio.FIRST_COMPLETED)
        return None if signed_in.is_set() else reasons.text or f"no answer within {_BROKER_S:g} s"
    finally:
        door.removeHandler(reasons)
        failed.cancel()
        await broker.stop()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


class _LastMessage(logging.Handler):
    """The door to the broker tells why a connection failed only in its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = asyncio.Event()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()
        self.said.set()
