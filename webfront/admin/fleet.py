"""Commands about nodes by the lot, and what is asked of one that is there: list them, renew their rights, measure one,
register one again. With `--check` they ask and change nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, Final

from webfront.accounts.views import Account
from webfront.admin.nodes import manage, wait_for
from webfront.admin.setup import Answer, open_platform
from webfront.broker.admission import password_hashes, renew
from webfront.broker.publisher import Publisher
from webfront.database.models import Node, Play
from webfront.errors import InvalidInput, Unavailable
from webfront.fleet import rows
from webfront.fleet.service import FleetService
from webfront.fleet.states import NodeState
from webfront.plays.service import PlayService
from webfront.plays.states import PlayState
from webfront.plays.verbs import REGISTER
from webfront.settings import Settings

_CONNECT_S: Final = 10.0
_ASK_AGAIN_S: Final = 15.0
"""The message to the node is transient: one that is lost is sent again. A measurement takes three seconds."""

_ADMIN: Final = Account(id=0, name="skerry-admin", is_admin=True)
"""Whoever may run this command may do all of it."""


def node_list(settings: Settings, options: argparse.Namespace) -> Answer:
    """Every node that is not removed."""
    open_platform(settings)
    found = Node.select().where(Node.state != NodeState.REMOVED).order_by(Node.name)
    return {"changed": False, "nodes": [_told(node) for node in found]}


def nodes_renew(settings: Settings, options: argparse.Namespace) -> Answer:
    """What each node has at the broker, declared anew; its password stays as it is."""
    open_platform(settings)
    hashes = read_hashes(options.hashes)
    api = manage(settings, options)
    renewed, unknown = [], []
    found = list(Node.select().where(Node.state != NodeState.REMOVED).order_by(Node.name))
    nodes = [node.name for node in found]
    # A node without an agent signs in to nothing.
    for name in [node.name for node in found if not node.agentless]:
        changed = renew(api, name, hashes.get(name, ""))
        if changed is None:
            unknown.append(name)
        elif changed:
            renewed.append(name)
    strangers = sorted(set(password_hashes(api)) - set(nodes))
    return {"changed": bool(renewed), "renewed": renewed, "unknown": unknown, "strangers": strangers}


def node_benchmark(settings: Settings, options: argparse.Namespace) -> Answer:
    """Have the node measure itself, and wait for the figure."""
    open_platform(settings)
    before = _figure(rows.find(options.name))
    if options.check:
        return {"changed": True, **_said(before)}
    publisher = Publisher(settings.broker_address(), name="admin", ship_logs=False)
    publisher.start()
    try:
        if not wait_for(_CONNECT_S, lambda: publisher.connected or None):
            raise Unavailable("The message broker does not answer.", detail="Run it again when the broker answers.")
        fleet = FleetService(publisher.benchmark)
        deadline = time.monotonic() + options.timeout
        found = None
        while found is None and time.monotonic() < deadline:
            fleet.benchmark(_ADMIN, options.name)
            left = min(_ASK_AGAIN_S, deadline - time.monotonic())
            found = wait_for(left, lambda: _newer(_figure(rows.find(options.name)), before))
    finally:
        publisher.stop()
    if found is None:
        raise Unavailable(
            f"{options.name} was asked to measure itself, and no new figure came within {options.timeout:.0f} seconds",
            detail="Look at the agent's log on the machine (under systemd: journalctl -u skerry-agent).",
        )
    return {"changed": True, **_said(found)}


def node_register(settings: Settings, options: argparse.Namespace) -> Answer:
    """Have the platform's own play register the node once more, with the code of this release, and wait for its end."""
    open_platform(settings)
    rows.find(options.name)
    if options.check:
        return {"changed": True, "play": None}
    play = PlayService(settings.plays_socket, settings.controller_name).begin(_ADMIN, options.name, REGISTER).id
    ended = wait_for(options.timeout, lambda: Play.get_or_none(Play.id == play, Play.finished_at.is_null(False)))
    if ended is None:
        raise Unavailable(
            f"The play {play}, which registers {options.name} again, did not end within {options.timeout:.0f} seconds",
            detail=f"It goes on by itself: the page of the play {play} shows where it is.",
        )
    if ended.state != PlayState.SUCCEEDED:
        raise Unavailable(f"Registering {options.name} again failed: {ended.message}", detail=ended.advice)
    return {"changed": True, "play": play}


def read_hashes(file: Path | None) -> dict[str, str]:
    """The hashes of nodes' passwords, as a backup holds them. Raises `InvalidInput`."""
    if file is None:
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"The file {file} of nodes' password hashes cannot be read: {error}") from error
    return {str(name): str(one) for name, one in found.items()}


def _told(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "state": node.state,
        "connection": node.connection,
        "agentless": node.agentless,
        "joined": node.joined,
        "address": node.address,
        "agent_version": node.agent_version,
        **_said(_figure(node)),
    }


Figure = tuple[float | None, float | None]
"""Events per second, and when it was measured; the second is None from an agent that does not tell it."""


def _figure(node: Node) -> Figure:
    metrics = node.metrics or {}
    return metrics.get("events_per_second"), metrics.get("events_measured_at")


def _newer(found: Figure, before: Figure) -> Figure | None:
    return found if found != before and found[0] is not None else None


def _said(figure: Figure) -> dict[str, float | None]:
    return {"events_per_second": figure[0], "measured_at": figure[1]}
