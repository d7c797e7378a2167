"""Nodes and plays as pages and the API show them, and what a registration asks for."""

from __future__ import annotations

from typing import Any

import msgspec


class NodeView(msgspec.Struct, frozen=True):
    name: str
    state: str
    state_reason: str
    connection: str
    address: str
    labels: tuple[str, ...]
    slots: int
    busy: int
    """Attempts that are live on it now: placed, claimed or running."""
    arch: str
    agent_version: str
    metrics: dict[str, Any] | None
    """The newest `wire.messages.Metrics`, as a dict; None before the first heartbeat."""
    score: dict[str, Any] | None
    """The newest score with its parts; None before the first heartbeat."""
    last_heartbeat_at: float | None
    registered_by: str
    created_at: float
    ssh_user: str = ""
    ssh_port: int = 22
    host_key: str = ""
    """The pinned host key (public), one `type key` a line; empty for a local node or before it is pinned."""


class PlayView(msgspec.Struct, frozen=True):
    id: int
    verb: str
    node: str
    state: str
    """`queued`, `running`, `succeeded` or `failed`."""
    requested_by: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    failed_step: str
    message: str
    advice: str


class PlayEventView(msgspec.Struct, frozen=True):
    number: int
    at: float
    step: str
    state: str
    """`running`, `ok`, `changed`, `skipped` or `failed`."""
    detail: str


class PlayProgress(msgspec.Struct, frozen=True):
    """A play and its steps after the number asked for."""

    play: PlayView
    events: tuple[PlayEventView, ...]


class Registration(msgspec.Struct, frozen=True):
    """A registration under way."""

    node: NodeView
    play: PlayView


class Secrets(msgspec.Struct, frozen=True):
    """What lets the first play in; handed to the plays process, never stored, never shown."""

    private_key: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "Secrets(...)"


class NewNode(msgspec.Struct, frozen=True):
    """A wish to register a machine, as the form or the API carries it; `Fleet.register` checks it."""

    name: str
    connection: str
    """`local` or `ssh`."""
    address: str = ""
    ssh_port: int = 22
    ssh_user: str = ""
    secrets: Secrets = Secrets()
    host_key: str = ""
    """`type key` lines as in known_hosts without the host; empty lets the play pin what it first sees."""
    labels: tuple[str, ...] = ()
    slots: int = 1
