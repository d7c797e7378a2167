"""The verbs of plays: one table that the service, the API, the pages and the plays process read.

A verb is a playbook and what surrounds it: from which states of its node it may be asked for, which button asks for
it, how long it may take, and what its end settles. A new one is a row here, its playbook, and its route in the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webfront.fleet.states import NodeState
from webfront.plays.phases import REGISTERING, TESTING, Phase


@dataclass(frozen=True)
class Settlement:
    """What a moment of a play means for its node's row. It holds only from these states: what came meanwhile stays."""

    sources: frozenset[NodeState]
    to: NodeState | None = None
    """None leaves the state; the reason is noted."""
    reason: str = ""


@dataclass(frozen=True)
class Button:
    """How a node's page offers the verb: it asks before it acts."""

    label: str
    words: str
    confirm: str
    """What the confirming button says; `{}` stands for the node."""
    danger: bool = False


@dataclass(frozen=True)
class Words:
    """The verb in sentences; `{}` stands for the node."""

    title: str
    now: str
    done: str


@dataclass(frozen=True)
class Verb:
    name: str
    """Also the playbook's: `playbooks/<name>.yml`; the deed's: `node.<name>`; and the end of the page's address."""
    limit_s: int
    """A play that takes longer is stopped."""
    asked_from: frozenset[NodeState]
    """Where it may be asked for."""
    offered_from: frozenset[NodeState]
    """Where the node's page has its button."""
    button: Button
    words: Words
    begun: Settlement | None = None
    """When it is asked for."""
    succeeded: Settlement | None = None
    failed: Settlement | None = None
    """Its reason is the failure's own, after the verb."""
    phases: tuple[Phase, ...] = ()
    book: str = ""
    """The verb whose playbook it runs a part of: the plays with one of these tags."""
    tags: tuple[str, ...] = ()
    agentless_playbook: str = ""
    """Played in place of the verb's own where the node has no agent."""
    joined_playbook: str = ""
    """Played in its place for a node that has joined by itself: it reaches the controller alone. Without one, such a
    node cannot be asked."""
    joined_button: Button | None = None
    """In place of `button` there."""
    only_joined: bool = False
    """Asked of no other node."""
    takes_secrets: bool = False
    """Whoever asks for it may give a key or a password to sign in with; the others use the platform's own key."""

    def playbook(self, *, agentless: bool = False, joined: bool = False) -> str:
        if joined:
            return self.joined_playbook
        return self.agentless_playbook if agentless and self.agentless_playbook else f"{self.book or self.name}.yml"

    def fits(self, *, joined: bool) -> bool:
        """Whether it can be asked of a node that has joined by itself, or of one that has not."""
        return bool(self.joined_playbook) if joined else not self.only_joined

    @property
    def action(self) -> str:
        """The deed's name in the log and among the facts."""
        return f"node.{self.name}"


_HOUR_S: Final = 3600
_ALL: Final = frozenset(NodeState)
_MEMBERS: Final = _ALL - {NodeState.REMOVED}
_NOT_SET_UP: Final = frozenset({NodeState.REGISTERING, NodeState.UNREGISTERED})

REGISTER: Final = Verb(
    name="register",
    agentless_playbook="register_agentless.yml",
    limit_s=_HOUR_S,
    asked_from=_ALL,
    offered_from=_NOT_SET_UP | {NodeState.DEAD, NodeState.REMOVED, NodeState.SUSPECT},
    button=Button(
        "Register again",
        "Its registration runs once more, with the platform's own key. What is right already stays as it is.",
        "Register {} again",
    ),
    words=Words("Registering {}", "It is being registered", "{} is a node now, and takes jobs."),
    # A node that works keeps working while the play corrects what it finds; one that is away begins anew.
    begun=Settlement(frozenset({NodeState.UNREGISTERED, NodeState.DEAD, NodeState.REMOVED}), to=NodeState.REGISTERING),
    phases=REGISTERING,
    succeeded=Settlement(
        frozenset({NodeState.REGISTERING}), reason="registered; its first heartbeat will set it active"
    ),
    failed=Settlement(frozenset({NodeState.REGISTERING}), to=NodeState.UNREGISTERED),
    takes_secrets=True,
)

TEST: Final = Verb(
    name="test",
    limit_s=300,
    asked_from=_MEMBERS,
    offered_from=_MEMBERS,
    button=Button(
        "Test the connection",
        "The checks of a registration run, with the platform's own key. Nothing is written on the machine.",
        "Test {}",
    ),
    words=Words(
        "Testing the connection to {}",
        "Its connection is being tested",
        "{} can be reached, and fits. Nothing was changed.",
    ),
    phases=TESTING,
    book="register",
    agentless_playbook="register_agentless.yml",
    tags=("register_preflight",),
    succeeded=Settlement(frozenset({NodeState.UNREGISTERED}), reason="its connection was tested and is in order"),
    failed=Settlement(frozenset({NodeState.UNREGISTERED})),
    takes_secrets=True,
)

DRAIN: Final = Verb(
    name="drain",
    # It waits for jobs, which may run long.
    limit_s=24 * _HOUR_S,
    asked_from=_MEMBERS - {NodeState.UNREGISTERED},
    offered_from=frozenset({NodeState.ACTIVE, NodeState.SUSPECT, NodeState.DEAD}),
    button=Button(
        "Drain",
        "It gets no new jobs and finishes those it has. You can activate it again afterwards.",
        "Drain {}",
    ),
    words=Words(
        "Draining {}",
        "It is being drained",
        "{} is drained: nothing runs there, and nothing new is sent there.",
    ),
    succeeded=Settlement(frozenset({NodeState.DRAINING}), to=NodeState.DRAINED),
    failed=Settlement(frozenset({NodeState.DRAINING})),
    joined_playbook="drain.yml",
)

REMOVE: Final = Verb(
    name="remove",
    agentless_playbook="remove_agentless.yml",
    limit_s=_HOUR_S,
    asked_from=_MEMBERS,
    offered_from=_MEMBERS,
    button=Button(
        "Remove",
        "The node agent, its user and its queues are taken away. Jobs that run there are tried elsewhere; drain it "
        "first to let them finish.",
        "Yes, remove {}",
        danger=True,
    ),
    words=Words("Removing {}", "It is being removed", "{} is no longer part of the platform."),
    succeeded=Settlement(_MEMBERS, to=NodeState.REMOVED),
    failed=Settlement(_MEMBERS),
    joined_playbook="dismiss.yml",
    joined_button=Button(
        "Remove",
        "It is shut out at once: its broker user and its queues go, and jobs that run there are tried elsewhere. Drain "
        "it first to let them finish. What is on the machine stays until you take it off there, as this page says.",
        "Yes, remove {}",
        danger=True,
    ),
)

ADMIT: Final = Verb(
    name="admit",
    limit_s=_HOUR_S,
    asked_from=_NOT_SET_UP,
    offered_from=frozenset({NodeState.UNREGISTERED}),
    button=Button(
        "Admit again",
        "The machine gets its broker user and what it joins with once more, while its invitation holds.",
        "Admit {} again",
    ),
    words=Words("Admitting {}", "It is being admitted", "{} is admitted, and sets itself up."),
    begun=Settlement(frozenset({NodeState.UNREGISTERED, NodeState.DEAD, NodeState.REMOVED}), to=NodeState.REGISTERING),
    succeeded=Settlement(
        frozenset({NodeState.REGISTERING}),
        reason="admitted; its first heartbeat will set it active",
    ),
    failed=Settlement(frozenset({NodeState.REGISTERING}), to=NodeState.UNREGISTERED),
    joined_playbook="admit.yml",
    only_joined=True,
)

VERBS: Final[Mapping[str, Verb]] = {verb.name: verb for verb in (REGISTER, TEST, ADMIT, DRAIN, REMOVE)}
