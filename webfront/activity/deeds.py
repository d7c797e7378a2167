"""Deeds: what a person does or tries, each one fact, whatever comes of it.

The web front's action log begins a deed; the service that changes something tells of it in the transaction of the
change; and what was not told by then (a refusal, a download, a failed sign-in) is told beside.

    with begin(Kind.NODE_DRAIN, "pages.nodes") as deed:
        ...                                     # the service: with transaction(): ...; tell(Kind.NODE_DRAIN, node=name)
    finish(deed, Outcome.SUCCESS, bound)

A death after the change's commit leaves the fact of a success; a death before it leaves neither. What was told counts
once it is committed: where the change came to nothing, the failure is told instead; where it stands and only the answer
failed, it stays the success that it was.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Final

import peewee

from webfront.activity.facts import Kind, NewFact, Outcome, Plain, record
from webfront.clock import Clock, system_clock
from webfront.database.connection import after_commit, transaction

_log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What can be the name of a node or an app, or a job's id. Whatever else was typed in its place is not kept."""


@dataclasses.dataclass(slots=True)
class Deed:
    """A deed under way, in one thread."""

    kind: Kind | None
    """None for a command that is no deed by its name: what it does is told with where it came in."""
    controller: str
    """Where it came in."""
    user: str = ""
    """Whose it is, once that is known: a name that exists, never what somebody typed."""
    told: bool = False
    """It has its fact."""


_current: contextvars.ContextVar[Deed | None] = contextvars.ContextVar("deed", default=None)


@contextlib.contextmanager
def begin(kind: Kind | None, controller: str) -> Iterator[Deed]:
    """A deed begins; whatever is told of it until the end of the block came in here."""
    deed = Deed(kind, controller)
    token = _current.set(deed)
    try:
        yield deed
    finally:
        _current.reset(token)


def belongs_to(user: str) -> None:
    """The deed under way is this user's."""
    if (deed := _current.get()) is not None:
        deed.user = user


def controller() -> str:
    """Where the deed under way came in; empty where there is none (a command, a test)."""
    deed = _current.get()
    return "" if deed is None else deed.controller


def tell(
    kind: Kind,
    *,
    user: str = "",
    node: str = "",
    app: str = "",
    job: str = "",
    play: int | None = None,
    data: Mapping[str, Plain] | None = None,
) -> None:
    """Record what is being done, within the transaction of the change, with whose deed it is and where it came in."""
    deed = _current.get()
    record(
        NewFact(
            kind,
            user=user or (deed.user if deed else ""),
            controller=controller(),
            node=node,
            app=app,
            job=job,
            play=play,
            data=data,
        )
    )
    after_commit(lambda: told(kind))


def told(kind: Kind) -> None:
    """The deed under way has its fact: one was recorded for it by whoever commits for several."""
    deed = _current.get()
    if deed is not None and deed.kind is kind:
        deed.told = True


class Bound:
    """How many facts strangers may leave: some at once, then six a minute. What is left out is counted.

    Anyone who reaches the web front can be refused as often as they like; the disk is not to pay for it.
    """

    _AT_ONCE: Final = 60
    _PER_S: Final = 0.1

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(self._AT_ONCE)
        self._at = clock()
        self._left_out = 0

    def admit(self) -> int | None:
        """How many were left out since the last one that was let in; None to leave this one out."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._AT_ONCE, self._tokens + max(0.0, now - self._at) * self._PER_S)
            self._at = now
            if self._tokens < 1:
                self._left_out += 1
                return None
            self._tokens -= 1
            left_out, self._left_out = self._left_out, 0
            return left_out


def finish(
    deed: Deed, outcome: Outcome, bound: Bound, *, node: str = "", app: str = "", job: str = "", reason: str = ""
) -> None:
    """Tell of a deed that has ended, unless its change told of it. A database that is away costs the fact, no more.

    `node`, `app` and `job` are what was asked for, whether or not there is such a one. The facts of deeds that are
    nobody's go through `bound`.
    """
    if deed.told or deed.kind is None:
        return
    data: dict[str, Plain] = {"reason": reason} if reason else {}
    if not deed.user:
        left_out = bound.admit()
        if left_out is None:
            return
        if left_out:
            data["left_out"] = left_out
    try:
        with transaction():
            record(
                NewFact(
                    deed.kind,
                    outcome=outcome,
                    user=deed.user,
                    controller=deed.controller,
                    node=_name(node),
                    app=_name(app),
                    job=_name(job),
                    data=data or None,
                )
            )
    except peewee.PeeweeException as error:
        _log.warning("a fact could not be recorded: %s", error, extra={"event.action": deed.kind.value})


def _name(asked: str) -> str:
    return asked if _NAME.fullmatch(asked) else ""
