"""Invitations as pages and the API show them, and what the machine says and is told. No token but a fresh one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from webfront.fleet.states import NodeState
from webfront.invitations.states import InvitationState

_Word = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
_Line = Annotated[str, Meta(max_length=200, pattern=r"^[\x20-\x7e]*$")]
_Address = Annotated[str, Meta(max_length=45, pattern=r"^[0-9A-Fa-f:.]+$")]


class Machine(msgspec.Struct, frozen=True):
    """What a machine says about itself when it asks to join."""

    host: _Line
    addresses: Annotated[tuple[_Address, ...], Meta(min_length=1, max_length=16)]
    """Those by which it reaches the platform, and the file server: the share is exported to them alone."""
    arch: _Word
    system: _Line
    """Its operating system and version, such as `debian 13`."""
    python: Annotated[str, Meta(pattern=r"^3\.[0-9]{1,2}$")]
    code: Annotated[str, Meta(pattern=r"^[A-Z0-9]{3}-[A-Z0-9]{3}$")]
    """Made by the machine, and shown on its terminal: by it an administrator knows which machine asks."""
    was: Annotated[str, Meta(max_length=32)] = ""
    """The node that it is already."""
    seen_from: str = ""
    """The address from which it asks, as the platform sees it."""


class NewInvitation(msgspec.Struct, frozen=True):
    node: str
    slots: int = 1
    labels: tuple[str, ...] = ()
    hours: float = 1.0
    """How long it holds."""


class InvitationView(msgspec.Struct, frozen=True):
    id: int
    node: str
    slots: int
    labels: tuple[str, ...]
    state: InvitationState
    invited_by: str
    created_at: float
    expires_at: float
    machine: Machine | None
    """None until one has claimed it."""
    claimed_at: float | None
    decided_by: str
    decided_at: float | None


class Invited(msgspec.Struct, frozen=True):
    """A fresh invitation with its token, which is shown this once."""

    invitation: InvitationView
    token: str

    def __repr__(self) -> str:
        return f"Invited({self.invitation!r})"


class Standing(msgspec.Struct, frozen=True):
    """Where a machine that asks to join stands, for that machine."""

    state: InvitationState
    node: str
    node_state: NodeState | None
    words: str
    is_ready: bool
    """Whether it may fetch what it joins with."""
    now: float
    """The platform's time."""


class Offer(msgspec.Struct, frozen=True):
    """What a machine joins with. It holds a password."""

    node: str
    variables: dict[str, Any]
    """Of Ansible: what the inventory says of nodes, and what was made for this one."""
    packages: dict[str, str]
    """By what they are for, `ansible` and `agent`, the names of the archives that the platform has ready,"""
    sha256: dict[str, str]
    """and by name their checksums."""

    def __repr__(self) -> str:
        return f"Offer({self.node})"
