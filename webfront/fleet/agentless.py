"""What plays know of a node without an agent, as its row keeps it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from webfront.database.models import Node

MISSES: Final = 3
"""Measurings in vain after which a machine counts as out of reach."""


class Machine(msgspec.Struct, frozen=True):
    """How plays find their way on the machine. Written when it was registered."""

    root: str
    """The folder with all that is the platform's there."""
    python: str
    """The Python that the kit is run with."""
    as_root: bool = True
    """Whether the kit runs as root, and so each app as a user of its own; else all run as the user who signs in."""


def machine_of(node: Node | None) -> Machine | None:
    """What is known; None for no node, one with an agent, or one whose registration has not come that far."""
    if node is None:
        return None
    try:
        return msgspec.convert(node.machine, Machine)
    except msgspec.ValidationError:
        return None


def note_machine(name: str, machine: Machine) -> bool:
    """Keep what is known. True when it is another than before. In the caller's transaction."""
    known: dict[str, Any] = msgspec.to_builtins(machine)
    row = Node.get(Node.name == name)
    if row.machine == known:
        return False
    Node.update(machine=known).where(Node.name == name).execute()
    return True
