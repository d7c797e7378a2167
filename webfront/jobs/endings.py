"""What the end of an attempt leads to, by the kind of work: it finishes, is tried again, or starts anew.

Pure: what the node said and what is known of the job go in, one of `Finish`, `Retry` and `Anew` comes out.
`webfront.jobs.lifecycle` does what that says and knows no kinds.

A kind is what the app version's manifest says (`kind`); each has its rule in `RULES`. One that this release does not
know, after a release was taken back, ends as a job does: one outcome, never none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from webfront.jobs.states import JobState
from wire.messages import Cause

DEFAULT_RETRIES: Final[Mapping[str, int]] = {Cause.NODE_LOST: 3, Cause.REJECTED: 3}
"""How many further attempts a cause allows where the manifest says nothing; 0 for the others."""

FELLED: Final = 3
"""A job under which so many nodes went down in a row is not tried on another."""

MOST_REFUSED: Final = 20
"""So many refusals cost a job nothing; from then on one counts as any rejection, so that no job is refused for ever."""

NODES_FAULT: Final = (Cause.NODE_LOST, Cause.REJECTED)

_CAUSE_WORDS: Final[Mapping[Cause, str]] = {
    Cause.OK: "",
    Cause.APP_ERROR: "the app ended with an error",
    Cause.TIMEOUT: "it ran longer than its manifest allows",
    Cause.OUT_OF_MEMORY: "it used more memory than its manifest asks for",
    Cause.NODE_LOST: "the node was lost while it ran",
    Cause.REJECTED: "the node could not run it",
    Cause.CANCELLED: "it was cancelled",
}


_FELLED_WORDS: Final = (
    "nodes went down under {count} of its attempts in a row ({nodes}), so it is not tried on another: find out whether "
    "it is the job that brings them down before you run it again"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended."""

    cause: Cause
    at: float
    message: str = ""
    exit_code: int | None = None
    outputs: tuple[dict[str, Any], ...] = ()
    log_lines: int | None = None
    usage: dict[str, Any] | None = None
    withdrawn: bool = False
    """The scheduler took the order back before its node had claimed it, which speaks against nobody."""
    refusal: str = ""
    """What the node refused for itself, by `wire.refusals`; then it counts as an attempt that never ran."""
    node_fell: bool = False
    """The node went down while the app ran."""

    @property
    def words(self) -> str:
        """Why it ended, for a person."""
        return self.message or _CAUSE_WORDS[self.cause]


class Past(NamedTuple):
    """An earlier attempt of a job, ended."""

    node: str
    cause: str
    refusal: str = ""
    node_fell: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """What is known of the job whose attempt has ended."""

    number: int
    """The attempt's."""
    node: str
    cancel_requested: bool
    retries: Mapping[str, int]
    """The manifest's: by cause, how many further attempts."""
    earlier: tuple[Past, ...]
    """The attempts before this one, in their order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finish:
    """The job has its outcome."""

    state: JobState
    cause: Cause
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """The job is queued for another attempt, on another node than those that failed it."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Anew:
    """The job is queued to begin once more: what became of it so far speaks against no node."""

    reason: str


After = Finish | Retry | Anew
Rule = Callable[[Ending, Tried], After]

JOB: Final = "job"


def after(kind: str, ending: Ending, tried: Tried) -> After:
    """What this ending leads to. Whatever the rule of its kind says, work that was cancelled is not begun again."""
    then = RULES.get(kind, _job)(ending, tried)
    if tried.cancel_requested and not isinstance(then, Finish):
        return Finish(JobState.CANCELLED, Cause.CANCELLED, "cancelled")
    return then


def never_ran(ending: Ending, tried: Tried) -> bool:
    """Whether it counts as no attempt: its node could take none, whatever the job."""
    return bool(ending.refusal) and sum(1 for one in tried.earlier if one.refusal) < MOST_REFUSED


def _job(ending: Ending, tried: Tried) -> After:
    """Once to its outcome, with as many attempts as its manifest allows for each cause."""
    if never_ran(ending, tried):
        return Retry(f"attempt {tried.number} was refused on {tried.node}, which costs it nothing: {ending.words}")
    if ending.cause is Cause.OK:
        return Finish(JobState.SUCCEEDED, Cause.OK, ending.message)
    if ending.withdrawn:
        return Retry(f"attempt {tried.number} on {tried.node} ended: {ending.words}")
    # An agent ends an attempt as cancelled only when asked to; if the user did not ask, it is a node's failure.
    unasked = ending.cause is Cause.CANCELLED and not tried.cancel_requested
    cause = Cause.NODE_LOST if unasked else ending.cause
    felled = _felled(ending, tried)
    if len(felled) >= FELLED and not tried.cancel_requested:
        return Finish(JobState.FAILED, ending.cause, _FELLED_WORDS.format(count=len(felled), nodes=", ".join(felled)))
    if sum(1 for one in tried.earlier if one.cause == cause and not one.refusal) < _allowed(tried.retries, cause):
        return Retry(f"attempt {tried.number} on {tried.node} ended: {ending.words}")
    if cause is Cause.CANCELLED or (tried.cancel_requested and cause in NODES_FAULT):
        return Finish(JobState.CANCELLED, Cause.CANCELLED, "cancelled")
    return Finish(JobState.FAILED, ending.cause, ending.words)


def _felled(ending: Ending, tried: Tried) -> list[str]:
    """The nodes that went down under the job's newest attempts, one after the other, this one's the last."""
    nodes = [tried.node] if ending.node_fell else []
    for one in reversed(tried.earlier):
        if not nodes or not (one.node_fell or one.refusal):
            break
        if one.node_fell:
            nodes.insert(0, one.node)
    return nodes


def _allowed(retries: Mapping[str, int], cause: Cause) -> int:
    """How many further attempts the manifest allows after this cause. `rejected` goes by `node_lost` unless named."""
    if cause in retries:
        return retries[cause]
    if cause is Cause.REJECTED and Cause.NODE_LOST in retries:
        return retries[Cause.NODE_LOST]
    return DEFAULT_RETRIES.get(cause, 0)


RULES: Final[dict[str, Rule]] = {JOB: _job}
"""By kind. `webfront.apps.manifest` says which an app may be of."""
