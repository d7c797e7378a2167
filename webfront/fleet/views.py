"""Nodes as pages and the API show them, and what a registration asks for."""

from __future__ import annotations

from typing import Any

import msgspec

from webfront.fleet.refusing import RefusalView
from webfront.fleet.states import NodeState


class NodeView(msgspec.Struct, frozen=True):
    name: str
    state: NodeState
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
    agentless: bool = False
    """No agent is there: plays measure it and give it work."""
    isolated: bool = True
    """Whether apps run as users of their own there. False without an agent where the user that signs in may not use
    sudo without a password."""
    joined: bool = False
    """It has joined by itself: no play reaches the machine."""
    edition: str = ""
    """Another one after each change of what can be edited: given back with a change, it guards another's."""
    refusals: tuple[RefusalView, ...] = ()
    """What it refuses for itself, so that it is set aside until it finds that it can again."""

    @property
    def owned_by(self) -> str:
        return self.registered_by


class Secrets(msgspec.Struct, frozen=True):
    """What lets the first play in; handed to the plays process, never stored, never shown."""

    private_key: str = ""
    password: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.private_key and not self.password

    def __repr__(self) -> str:
        return "Secrets(...)"


class NewNode(msgspec.Struct, frozen=True):
    """A machine to register, as the form or the API carries it; `webfront.fleet.validation` checks it."""

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
    agentless: bool = False
    """Over SSH alone, without the platform's agent."""
    joined: bool = False
    """The machine joins by itself: the platform is not let in there. `address` is the one that it told."""
    has_platform_key: bool = False
    """The platform's public key was added there beforehand: no secret is needed."""
