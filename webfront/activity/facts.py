"""Facts: what has happened and others may care about, written in the transaction of the change itself.

    with transaction():
        change_something()
        record(NewFact(Kind.NODE_STATE, node=name, data={"state": state.value}))

So a fact stands exactly when its change does, whatever line this process dies on. A fact is small and holds no secret:
names as they were then, and in `data` a few plain values under keys of its kind's own. What is too long is cut.

A person's **deed** is told through `webfront.activity.deeds`, which adds where it came in.

The ids say nothing about the order in which transactions were committed. The order in which consumers read is given
later, by `webfront.activity.numbering`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from webfront.clock import system_clock
from webfront.database import models
from webfront.database.rows import many

Plain = str | int | float | bool | None


class Kind(enum.StrEnum):
    """Every kind of fact. A deed has one name on the pages, in the API and in the action log."""

    # Deeds: what a person did or tried, whatever came of it.
    SESSION_BEGIN = "session.begin"
    SESSION_END = "session.end"
    TOKEN_ISSUE = "token.issue"  # noqa: S105  a deed's name
    TOKEN_REVOKE = "token.revoke"  # noqa: S105
    USER_CREATE = "user.create"
    APP_UPLOAD = "app.upload"
    APP_DELETE = "app.delete"
    VERSION_DELETE = "version.delete"
    """`data`: the `version` of the app."""
    JOB_SUBMIT = "job.submit"
    JOB_CANCEL = "job.cancel"
    JOB_DOWNLOAD = "job.download"
    JOB_DELETE = "job.delete"
    SCHEDULE_CREATE = "schedule.create"
    SCHEDULE_CHANGE = "schedule.change"
    SCHEDULE_PAUSE = "schedule.pause"
    SCHEDULE_RESUME = "schedule.resume"
    SCHEDULE_RUN = "schedule.run"
    SCHEDULE_DELETE = "schedule.delete"
    NODE_REGISTER = "node.register"
    NODE_DRAIN = "node.drain"
    NODE_REMOVE = "node.remove"
    NODE_ACTIVATE = "node.activate"
    NODE_BENCHMARK = "node.benchmark"
    NODE_TEST = "node.test"
    NODE_EDIT = "node.edit"
    """`data`: the names of the fields that `changed`."""
    NODE_ADMIT = "node.admit"
    """A machine that asked to join was approved. The next ones are about its invitation."""
    INVITATION_CREATE = "invitation.create"
    INVITATION_REVOKE = "invitation.revoke"
    INVITATION_CLAIM = "invitation.claim"
    """A machine asks to join; of no user. `data` of this and the next: the machine's `host` name."""
    INVITATION_WITHDRAW = "invitation.withdraw"
    INVITATION_REFUSE = "invitation.refuse"
    INVITATION_TAKE = "invitation.take"
    """The machine has what it joins with, and the platform has it no more."""
    PLAY_STOP = "play.stop"
    WEBHOOK_CREATE = "webhook.create"
    """`data` of the webhooks' kinds: `webhook`, its number; never its address, which may hold a secret."""
    WEBHOOK_DELETE = "webhook.delete"
    WEBHOOK_REKEY = "webhook.rekey"
    WEBHOOK_TEST = "webhook.test"
    WEBHOOK_AGAIN = "webhook.again"
    DELIVERY_AGAIN = "delivery.again"
    SETTING_CHANGE = "setting.change"
    """`data`: the `setting`, what it was, `from`, and what it is, `to`."""
    # What the platform itself brought about.
    ATTEMPT_END = "attempt.end"
    """`data`: `cause`."""
    JOB_END = "job.end"
    """`data`: `state` and `cause`. Of its user, whoever ended it."""
    NODE_STATE = "node.state"
    """`data`: the new `state` and its `reason`."""
    SCHEDULE_TICK = "schedule.tick"
    """A schedule was due. `data`: its id as `schedule`, its `name`, what `became` of the time (of how many, `count`,
    where they were missed), and why, in `words`."""
    PLATFORM_RESTORE = "platform.restore"
    """The database is a copy from here on. `data`: when it was made as `copy_of`, and how many `sessions`, `tokens`,
    `plays` and `open_jobs` were of that time."""
    SPACE_FREE = "space.free"
    """Something was removed for good, by its age or after it was deleted. `data`: `what`, how many as `count`, their
    `bytes`, and where it was their age, the `days` for which such things are kept."""
    PLAY_END = "play.end"
    """`data`: `verb`, the `step` that failed, and who has stopped it, `stopped_by`."""


DEEDS: Final = frozenset(Kind) - {
    Kind.ATTEMPT_END,
    Kind.JOB_END,
    Kind.NODE_STATE,
    Kind.SCHEDULE_TICK,
    Kind.PLATFORM_RESTORE,
    Kind.SPACE_FREE,
    Kind.PLAY_END,
}
"""The kinds that are deeds; the others are what the platform itself brought about."""

AUDIT: Final = DEEDS - {Kind.JOB_SUBMIT}
"""Deeds that are kept longer than other facts. Who submitted a job, and when, its own row says for as long as it is
there; the deeds of that kind are as many as the jobs."""


class Outcome(enum.StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"


class NewFact(NamedTuple):
    """A fact to be recorded. What does not apply stays empty; `at` is now unless it is given."""

    kind: Kind
    at: float | None = None
    outcome: Outcome = Outcome.SUCCESS
    user: str = ""
    controller: str = ""
    node: str = ""
    app: str = ""
    job: str = ""
    attempt: int | None = None
    play: int | None = None
    data: Mapping[str, Plain] | None = None


class Fact(msgspec.Struct, frozen=True):
    """A fact as it stands in the database."""

    id: int
    at: float
    kind: str
    """A `Kind`; another word where a newer version of this code has written it."""
    outcome: str
    user: str
    controller: str
    node: str
    app: str
    job: str
    attempt: int | None
    play: int | None
    data: dict[str, Plain]


class FactRow(NamedTuple):
    id: int
    at: float
    kind: str
    outcome: str
    user: str
    controller: str
    node: str
    app: str
    job: str
    attempt: int | None
    play: int | None
    data: str | None


COLUMNS: Final = ", ".join(f"`{name}`" for name in FactRow._fields)
"""What `from_row` takes."""

_INSERT: Final = (
    "INSERT INTO fact (at, kind, outcome, `user`, controller, node, app, job, attempt, play, data) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LONGEST_VALUE: Final = 200

_json = msgspec.json.Encoder()


def record(fact: NewFact) -> None:
    """Write a fact within the caller's transaction."""
    record_many([fact])


def record_many(facts: Iterable[NewFact]) -> None:
    """Write facts within the caller's transaction, in their order, with one statement."""
    if not models.database.obj.in_transaction():
        raise RuntimeError("a fact is recorded in the transaction of its change")
    now = system_clock()
    many(_INSERT, [_row(fact, now) for fact in facts])


def from_row(row: FactRow) -> Fact:
    """The fact in a row of `COLUMNS`."""
    return Fact(**row._asdict() | {"data": msgspec.json.decode(row.data) if row.data else {}})


def _row(fact: NewFact, now: float) -> tuple[Any, ...]:
    return (
        now if fact.at is None else fact.at,
        fact.kind.value,
        fact.outcome.value,
        fact.user[:64],
        fact.controller[:64],
        fact.node[:32],
        fact.app[:64],
        fact.job[:26],
        fact.attempt,
        fact.play,
        _encoded(fact.data) if fact.data else None,
    )


def _encoded(data: Mapping[str, Plain]) -> str:
    text = _json.encode(data)
    if len(text) > _LONGEST_VALUE:  # else none of its values can be longer
        text = _json.encode({name: _short(value) for name, value in data.items()})
    return text.decode()


def _short(value: Plain) -> Plain:
    return value[:_LONGEST_VALUE] if isinstance(value, str) else value
