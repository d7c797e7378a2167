"""What a play fails with: what it means and what to do, for the person who reads its page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from webfront.plays.known_failures import recognise
from webfront.plays.outcome import Failure, Target

_LONGEST: Final = 1500


CUT_OFF: Final = Failure(
    "The play was cut off: the plays process stopped while it ran",
    "Run it again; it goes on from what is already done. Secrets are not kept, so give a key or password again if the "
    "first registration had not succeeded yet.",
)
SECRETS_LOST: Final = Failure(
    "The key or password that was given is gone: the plays process that held it in its memory has ended",
    "Ask for it once more, and give the key or password again.",
)


def stopped(by: str) -> Failure:
    """What it means that a person has stopped the play."""
    return Failure(
        f"{by} has stopped the play",
        "What was done stays done, and what the machine was at in that moment it may still finish. Run it again to go "
        "on from there.",
    )


TOO_LONG: Final = Failure(
    "The play took longer than it may, and was stopped",
    "Look at the step it was in: the machine or its network hangs there. Then run it again.",
)
NOTHING_RAN: Final = Failure(
    "The playbook ended without doing anything",
    "Its hosts do not match the node. Check SKERRY_INVENTORY and that the playbooks belong to this version of Skerry.",
)


def explain(result: Mapping[str, Any], action: str, target: Target, *, unreachable: bool = False) -> Failure:
    """The words for a failed task, from its result as Ansible reports it and the name of its module."""
    if "censored" in result:
        return Failure(
            "This step failed; its output is hidden because it may hold a secret",
            "Run the playbook by hand with -v on the controller to see more, or look at the log of the service the "
            "step names.",
        )
    message = _text(result.get("msg"))
    if action.rpartition(".")[2] in {"assert", "fail"} and message:
        # The playbooks' own words say what is wrong and what to change.
        return Failure(_short(message))
    if message and "advice" in result:
        # So do the platform's own modules.
        return Failure(_short(message), _text(result["advice"]))
    everything = "\n".join(
        _text(result.get(part)) for part in ("msg", "stderr", "module_stderr", "module_stdout", "stdout")
    )
    failed_items = [item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    for item in failed_items:
        everything += "\n" + "\n".join(_text(item.get(part)) for part in ("msg", "stderr", "module_stderr"))
    if (known := recognise(everything, target)) is not None:
        return known
    if unreachable:
        return Failure(
            f"{target.where} cannot be reached: {_short(message)}",
            "Check that it is on, and its network, then run it again.",
        )
    if failed_items and not _text(result.get("stderr")):
        message = _text(failed_items[0].get("msg")) or message
    told = _short(message)
    if (error := _short(_text(result.get("stderr")))) and error not in told:
        told = f"{told}: {error}" if told else error
    return Failure(
        told or "This step failed without saying why",
        "Fix what the message names, then run it again: what is already done is not done twice.",
    )


def explain_output(output: str, target: Target) -> Failure:
    """The words for a run that failed before or outside any task: what ansible-playbook printed."""
    if (known := recognise(output, target)) is not None:
        return known
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "ERROR" in line] or lines[-3:]
    return Failure(
        "ansible-playbook could not run the playbook: " + (_short(" ".join(telling)) or "it said nothing"),
        "This is about Skerry's own installation (playbooks, inventory, Python environment), not about the machine.",
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
