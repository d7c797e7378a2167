"""A node and the plays about it in words, and what may be asked of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webfront.fleet.states import ACTIVATED_FROM, MEASURED_IN, SET_ASIDE, NodeState
from webfront.fleet.views import NodeView
from webfront.plays.phases import PhaseState, PhaseView
from webfront.plays.states import PlayState, StepState
from webfront.plays.verbs import VERBS, Words
from webfront.plays.views import PlayEventView, PlayView

STATES: Final = {
    NodeState.REGISTERING: "It is being set up.",
    NodeState.UNREGISTERED: "It is not registered; it gets no jobs.",
    NodeState.ACTIVE: "It takes jobs.",
    NodeState.SUSPECT: "It cannot be counted on now; it gets no new jobs until it is heard again.",
    NodeState.DRAINING: "It gets no new jobs, and finishes those it has.",
    NodeState.DRAINED: "It has finished its jobs and gets no new ones.",
    NodeState.DEAD: "It has not been heard for too long; its jobs were given to others.",
    NodeState.REMOVED: "It is no longer part of the platform.",
}

_ASIDE: Final = "It is there, and gets no new jobs."
_LOOKS: Final = "It looks by itself whether it can again, every five minutes at least, and takes jobs then."


def state_words(node: NodeView) -> str:
    """What its state means, in a sentence or two."""
    if node.refusals:
        return f"{_ASIDE} {_LOOKS}"
    if node.state is NodeState.SUSPECT and node.state_reason.startswith(SET_ASIDE):
        return _ASIDE
    return STATES[node.state]


LEAVE_LINE: Final = "sudo python3 /opt/skerry-agent/join/skerry.pyz leave"
"""What takes the platform off a machine that has joined by itself, where its agent is in the usual place."""

STEP_WORDS: Final = {
    StepState.RUNNING: "running",
    StepState.OK: "in order",
    StepState.CHANGED: "changed",
    StepState.SKIPPED: "not needed",
    StepState.FAILED: "failed",
}


@dataclass(frozen=True)
class NodeAction:
    """A button of the node's page, with what it asks before it acts. `verb` is the end of its address."""

    verb: str
    label: str
    words: str
    button: str
    danger: bool = False


def actions(node: NodeView) -> list[NodeAction]:
    """What may be asked of a node in its state."""
    offered = []
    if node.state in ACTIVATED_FROM:
        words = "It may get jobs again at once."
        offered.append(NodeAction("activate", "Activate", words, f"Activate {node.name}"))
    if node.state in MEASURED_IN:
        words = "It measures its speed on one core for a few seconds. Jobs that run there slow the figure down."
        offered.append(NodeAction("benchmark", "Measure again", words, "Measure now"))
    for verb in VERBS.values():
        if node.state in verb.offered_from and verb.fits(joined=node.joined):
            button = (verb.joined_button if node.joined else None) or verb.button
            confirm = button.confirm.format(node.name)
            offered.append(NodeAction(verb.name, button.label, button.words, confirm, button.danger))
    return sorted(offered, key=lambda one: one.danger)


def play_title(play: PlayView) -> str:
    return _words(play).title.format(play.node)


def play_done(play: PlayView) -> str:
    return _words(play).done.format(play.node)


def play_now(play: PlayView) -> str:
    return _words(play).now


def _words(play: PlayView) -> Words:
    verb = VERBS.get(play.verb)
    # A row of a release that knew more verbs.
    return verb.words if verb else Words(f"{play.verb.capitalize()}: {{}}", "A play is under way", "It is done on {}.")


def play_sentence(play: PlayView, steps: list[PlayEventView], phases: Sequence[PhaseView] = ()) -> str:
    """Where a play stands; it changes with each step, so that it is announced."""
    match play.state:
        case PlayState.RUNNING if play.stopped_by:
            return f"{play.stopped_by} has stopped it; it ends in a moment."
        case PlayState.STOPPED:
            return f"{play.stopped_by} has stopped it."
        case PlayState.QUEUED:
            return "It begins in a moment."
        case PlayState.RUNNING:
            place = next((number for number, one in enumerate(phases, 1) if one.state is PhaseState.RUNNING), None)
            count = f"{place} of {len(phases)}: {phases[place - 1].label}. " if place is not None else ""
            return f"{count}Now: {steps[-1].step}." if steps else "Ansible is starting."
        case PlayState.SUCCEEDED:
            changed = sum(step.state is StepState.CHANGED for step in steps)
            return "Done." if changed else "Done; nothing needed to be changed."
    return "It did not succeed."


def merge_steps(events: tuple[PlayEventView, ...]) -> list[PlayEventView]:
    """Events as steps: a step's end takes the place of its beginning."""
    steps: list[PlayEventView] = []
    for event in events:
        if steps and steps[-1].state is StepState.RUNNING and steps[-1].step == event.step:
            steps[-1] = event
        else:
            steps.append(event)
    return steps
