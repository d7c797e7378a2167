"""Plays as pages and the API show them."""

from __future__ import annotations

import msgspec

from webfront.fleet.views import NodeView
from webfront.plays.phases import PhaseView
from webfront.plays.states import UNFINISHED_PLAYS, PlayState, StepState


class PlayView(msgspec.Struct, frozen=True):
    id: int
    verb: str
    node: str
    state: PlayState
    requested_by: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    failed_step: str
    message: str
    advice: str
    stopped_by: str = ""
    """Who has stopped it, or wishes it while it still runs; empty where nobody does."""

    @property
    def is_over(self) -> bool:
        return self.state not in UNFINISHED_PLAYS


class PlayEventView(msgspec.Struct, frozen=True):
    number: int
    at: float
    step: str
    state: StepState
    detail: str
    phase: str = ""


class PlayProgress(msgspec.Struct, frozen=True):
    """A play, its phases where it has any, and its steps after the number asked for."""

    play: PlayView
    phases: tuple[PhaseView, ...]
    events: tuple[PlayEventView, ...]


class PlatformKey(msgspec.Struct, frozen=True):
    """The platform's public key, for machines whose secrets stay with their owners."""

    public_key: str
    line: str
    """A shell's line that lets it in for whoever runs it on the machine."""


class Edited(msgspec.Struct, frozen=True):
    """A node after a change, and the play that carries it to the machine, where the change needs one."""

    node: NodeView
    play: PlayView | None


class Registration(msgspec.Struct, frozen=True):
    """A registration under way."""

    node: NodeView
    play: PlayView
