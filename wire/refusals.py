"""What a node may refuse for itself: the table of the refusals that are its own, and never an app's or a user's.

An attempt so refused counts as one that never ran, and the node is set aside until it finds by itself that it can
again. The agent finds the kind and says in its own words what it found; what mends it, this table says. A kind that a
later release has added has no row here: its own words are all that is told of it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple


class Refusal(enum.StrEnum):
    """The kinds. They travel as text: a later release has more."""

    NO_SPACE = "no_space"
    NO_USER = "no_user"
    NO_SHARE = "no_share"
    NO_SANDBOX = "no_sandbox"
    NO_JOURNAL = "no_journal"


class Row(NamedTuple):
    """What is told of a kind of refusal."""

    words: str
    """What is the matter, after the node's name or "the node"."""
    mending: str
    """What mends it."""


REFUSALS: Final[Mapping[str, Row]] = {
    Refusal.NO_SPACE: Row(
        "has no space left on its disk",
        "Free space on the file system that holds the agent's state folder (SKERRY_NODE_STATE_DIR).",
    ),
    Refusal.NO_USER: Row(
        "has no user id that an app can be run as",
        "End what runs there under the ids from SKERRY_NODE_UID_BASE on, or have the agent take others.",
    ),
    Refusal.NO_SHARE: Row(
        "cannot use the share",
        "Mount the share there, and see that its owner may read `apps` and write `results`; "
        "`python -m node_scripts check` on the node says what is wrong.",
    ),
    Refusal.NO_SANDBOX: Row(
        "cannot make a sandbox for an app",
        "See the agent's log there: a limit on processes or mounts, no memory left, or a disk that is read-only.",
    ),
    Refusal.NO_JOURNAL: Row(
        "cannot write its journal",
        "See the agent's log there: the disk that holds SKERRY_NODE_STATE_DIR cannot be written.",
    ),
}


def words_for(kind: str, found: str) -> str:
    """What is the matter, in one phrase: the table's words, and what the node found."""
    row = REFUSALS.get(kind)
    if row is None:
        return found or f"refuses ({kind})"
    return f"{row.words} ({found})" if found else row.words


def mending(kind: str) -> str:
    """What mends it; empty for a kind that is not known here."""
    row = REFUSALS.get(kind)
    return row.mending if row is not None else ""
