"""Who may do what: the one place that decides it.

`may(account, act, thing)` answers; `require` raises `Forbidden` in words. An administrator may do everything. A thing
says whose it is by `owned_by`: its owner's id, or the name where the row keeps a name.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Protocol

from webfront.accounts.views import Account
from webfront.errors import Forbidden


class Owned(Protocol):
    @property
    def owned_by(self) -> int | str: ...


class Act(enum.Enum):
    """What a person may want to do, most of it with a thing."""

    SEE_JOB = enum.auto()
    DELETE_JOB = enum.auto()
    SEE_EVERY_JOB = enum.auto()
    PUT_JOB_FIRST = enum.auto()
    SEE_SCHEDULE = enum.auto()
    SEE_EVERY_SCHEDULE = enum.auto()
    ADD_VERSION = enum.auto()
    DELETE_APP = enum.auto()
    CHANGE_NODE = enum.auto()
    USE_WEBHOOK = enum.auto()
    SEE_EVERY_WEBHOOK = enum.auto()
    SEE_EVERYBODYS_USE = enum.auto()
    SEE_EVERY_RECORD = enum.auto()
    REGISTER_CONTROLLER = enum.auto()
    ADMINISTER = enum.auto()


_OWNERS: Final = frozenset(
    {
        Act.SEE_JOB,
        Act.DELETE_JOB,
        Act.SEE_SCHEDULE,
        Act.ADD_VERSION,
        Act.DELETE_APP,
        Act.CHANGE_NODE,
        Act.USE_WEBHOOK,
    }
)
"""The owner of the thing may, besides administrators; the others are for administrators alone."""

_REFUSALS: Final[Mapping[Act, str]] = {
    Act.SEE_JOB: "This job is somebody else's.",
    Act.DELETE_JOB: "This job is somebody else's.",
    Act.SEE_EVERY_JOB: "Only an administrator sees everybody's jobs.",
    Act.PUT_JOB_FIRST: "Only an administrator may put a job before the others.",
    Act.SEE_SCHEDULE: "This schedule is somebody else's.",
    Act.SEE_EVERY_SCHEDULE: "Only an administrator sees everybody's schedules.",
    Act.ADD_VERSION: "This app is somebody else's. Give yours another name.",
    Act.DELETE_APP: "This app is somebody else's.",
    Act.CHANGE_NODE: "This node was registered by somebody else.",
    Act.USE_WEBHOOK: "This webhook is somebody else's.",
    Act.SEE_EVERY_WEBHOOK: "Only an administrator sees everybody's webhooks.",
    Act.SEE_EVERYBODYS_USE: "Only an administrator sees how others use the platform.",
    Act.SEE_EVERY_RECORD: "Only an administrator searches the log records of others.",
    Act.REGISTER_CONTROLLER: "Only an administrator may register the controller itself as a node.",
    Act.ADMINISTER: "Only an administrator may do this.",
}


def may(account: Account, act: Act, thing: Owned | None = None) -> bool:
    """Whether this account may do this, with the thing where the act needs one."""
    if account.is_admin:
        return True
    return act in _OWNERS and thing is not None and thing.owned_by in (account.id, account.name)


def require(account: Account, act: Act, thing: Owned | None = None) -> None:
    """Forbidden, in words, where `may` says no."""
    if not may(account, act, thing):
        raise Forbidden(_REFUSALS[act])
