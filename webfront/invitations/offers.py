"""What a machine joins with, from the play that makes it to the machine that takes it: sealed in its invitation's row.

The archives of packages that go with it lie on the share, where each controller finds them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from webfront.database.models import Invitation
from webfront.errors import Conflict, Unavailable
from webfront.invitations.queries import machine_of
from webfront.invitations.states import InvitationState, state_of
from webfront.invitations.views import Machine, Offer
from webfront.secretbox import SecretBox, Unreadable

FOLDER: Final = "join"
"""Below the share: the archives."""
_SEALED: Final = "offer:"
"""How an offer begins; what a machine has told is a password alone."""


class Admitted(msgspec.Struct, frozen=True):
    """The machine that is to be admitted as a node, and the broker password that it has already, or none."""

    machine: Machine
    password: str


def admitted(box: SecretBox, node: str, now: float) -> Admitted:
    """Which machine was approved as this node. Conflict where there is none whose invitation still holds."""
    row = _approved(node, now)
    machine = machine_of(row)
    if machine is None:
        raise Conflict(f"No machine has asked to join as {node}.")
    return Admitted(machine, _password(box, row))


def seal_offer(box: SecretBox, node: str, variables: dict[str, Any], archives: dict[str, Path], now: float) -> bool:
    """Keep what the machine gets; archives that are not there are left out. False where it is there already.

    Raises Conflict as `admitted` does. In the caller's transaction.
    """
    row = _approved(node, now)
    there = {use: path for use, path in archives.items() if path.is_file()}
    offer = Offer(
        node=node,
        variables=variables,
        packages={use: path.name for use, path in there.items()},
        sha256={path.name: _sha256(path) for path in there.values()},
    )
    if open_offer(box, row) == offer:
        return False
    sealed = box.seal(_SEALED + msgspec.json.encode(offer).decode())
    Invitation.update(sealed=sealed).where(Invitation.id == row.id).execute()
    return True


def open_offer(box: SecretBox, row: Invitation) -> Offer | None:
    """What the machine gets; None before it is there, and afterwards. Unavailable."""
    text = _open(box, row)
    return msgspec.json.decode(text.removeprefix(_SEALED), type=Offer) if text.startswith(_SEALED) else None


def _password(box: SecretBox, row: Invitation) -> str:
    """Admitted once more it is the one that was offered."""
    offer = open_offer(box, row)
    return _open(box, row) if offer is None else str(offer.variables.get("node_agent_broker_password", ""))


def _open(box: SecretBox, row: Invitation) -> str:
    if row.sealed is None:
        return ""
    try:
        return box.open(row.sealed)
    except Unreadable as error:
        raise Unavailable("What the machine gets was sealed with another key. Invite it again.") from error


def _approved(node: str, now: float) -> Invitation:
    rows = Invitation.select().where(Invitation.node == node, Invitation.state == InvitationState.APPROVED)
    row: Invitation | None = rows.order_by(Invitation.id.desc()).first()
    if row is None or state_of(row, now) is not InvitationState.APPROVED:
        raise Conflict(
            f"No machine is approved to join as {node} any more.",
            detail="Invite it again, and run the new line on the machine.",
        )
    return row


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
