"""What a node refuses for itself, as its row keeps it and as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wire.refusals import mending

LONGEST_WORDS = 300


class Told(msgspec.Struct, frozen=True):
    """One thing that the node has told that it cannot do."""

    kind: str
    """By the table in `wire.refusals`; a later agent may tell others."""
    words: str
    since: float
    """By the controller's clock."""
    told_at: float
    """By the node's own clock: what it had told before that is of the time before."""


class RefusalView(msgspec.Struct, frozen=True):
    """The same for people and programs."""

    kind: str
    words: str
    since: float
    mending: str
    """What mends it; empty for a kind that only a later release knows."""


def stored(refusals: Sequence[Told]) -> list[dict[str, Any]] | None:
    """As the row has it."""
    return [msgspec.to_builtins(one) for one in refusals] or None


def kept(row: Any) -> tuple[Told, ...]:
    """What a row's column says."""
    return msgspec.convert(row or [], tuple[Told, ...])


def shown(row: Any) -> tuple[RefusalView, ...]:
    return tuple(RefusalView(one.kind, one.words, one.since, mending(one.kind)) for one in kept(row))
