"""A node and the plays about it in words, and what may be asked of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webfront.fleet.views import NodeView, PlayEventView, PlayView

STATES: Final = {
    "registering": "It is being set up.",
    "active": "It takes jobs.",
    "suspect": "Its heartbeat is late; it gets no new jobs until it is heard again.",
    "draining": "It gets no new jobs, and finishes those it has.",
    "drained": "It has finished its jobs and gets no new ones.",
    "dead": "It has not been heard for too long; its jobs were given to others.",
    "removed": "It is no longer part of the platform.",
}

PLAYS_NOW: Final = {
    "register": "It is being registered",
    "drain": "It is being drained",
    "remove": "It is being removed",
    "upgrade": "It is being upgraded",
}

STEP_WORDS: Final = {
    "running": "running",
    "ok": "in order",
    "changed": "changed",
    "skipped": "not needed",
    "failed": "failed",
}

_TITLES: Final = {"register": "Registering {}", "drain": "Draining {}", "remove": "Removing {}"}
_DONE: Final = {
    "register": "{} is a node now, and takes jobs.",
    "drain": "{} is drained: nothing runs there, and nothing new is sent there.",
    "remove": "{} is no longer part of the platform.",
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
    if node.state in ("drained", "draining", "suspect"):
        words = "It may get jobs again at once."
        offered.append(NodeAction("activate", "Activate", words, f"Activate {node.name}"))
    if node.state in ("active", "suspect", "drained"):
        words = "It measures its speed on one core for a few seconds. Jobs that run there slow the figure down."
        offered.append(NodeAction("benchmark", "Measure again", words, "Measure now"))
    if node.state in ("active", "suspect", "dead"):
        words = "It gets no new jobs and finishes those it has. You can activate it again afterwards."
        offered.append(NodeAction("drain", "Drain", words, f"Drain {node.name}"))
    if node.state in ("registering", "dead", "removed", "suspect"):
        words = "Its registration runs once more, with the platform's own key. What is right already stays as it is."
        offered.append(NodeAction("register", "Register again", words, f"Register {node.name} again"))
    if node.state != "removed":
        words = (
            "The node agent, its user and its queues are taken away. Jobs that run there are tried elsewhere; "
            "drain it first to let them finish."
        )
        offered.append(NodeAction("remove", "Remove", words, f"Yes, remove {node.name}", danger=True))
    return offered


def play_title(play: PlayView) -> str:
    return _TITLES.get(play.verb, "Playing " + play.verb + " on {}").format(play.node)


def play_done(play: PlayView) -> str:
    return _DONE.get(play.verb, "It is done on {}.").format(play.node)


def play_sentence(play: PlayView, steps: list[PlayEventView]) -> str:
    """Where a play stands; it changes with each step, so that it is announced."""
    match play.state:
        case "queued":
            return "It begins in a moment."
        case "running":
            return f"Now: {steps[-1].step}." if steps else "Ansible is starting."
        case "succeeded":
            changed = sum(step.state == "changed" for step in steps)
            return "Done." if changed else "Done; nothing needed to be changed."
    return "It did not succeed."


def merge_steps(events: tuple[PlayEventView, ...]) -> list[PlayEventView]:
    """Events as steps: a step's end takes the place of its beginning."""
    steps: list[PlayEventView] = []
    for event in events:
        if steps and steps[-1].state == "running" and steps[-1].step == event.step:
            steps[-1] = event
        else:
            steps.append(event)
    return steps
