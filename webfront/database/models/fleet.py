"""The registered machines, and the invitations by which machines register themselves."""

from __future__ import annotations

import peewee

from webfront.database.models.base import JsonField, Model


class Node(Model):
    """A registered machine. No secret of it is kept here: of its broker password, the hash."""

    name = peewee.CharField(32, unique=True)
    """The node id: also its routing key and the end of its broker user's name."""
    state = peewee.CharField(16, index=True)
    state_reason = peewee.CharField(500, default="")
    """Why it is in this state, in words for the node's page."""
    connection = peewee.CharField(8)
    """`local` or `ssh`."""
    address = peewee.CharField(255)
    ssh_port = peewee.IntegerField(default=22)
    ssh_user = peewee.CharField(64, default="")
    host_key = peewee.TextField(default="")
    """The pinned host key: known_hosts lines' key type and key, one a line."""
    labels = JsonField(default=list)
    slots = peewee.IntegerField(default=1)
    arch = peewee.CharField(32, default="")
    agent_version = peewee.CharField(32, default="")
    metrics = JsonField(null=True)
    """The newest heartbeat's `wire.messages.Metrics`, as a dict."""
    score = JsonField(null=True)
    """The newest score with its parts, as the scheduler computed it."""
    last_heartbeat_at = peewee.DoubleField(null=True)
    consecutive_failures = peewee.IntegerField(default=0)
    registered_by = peewee.CharField(64, default="")
    created_at = peewee.DoubleField()
    machine = JsonField(null=True)
    """None for a node with an agent. Of one without: what plays know of it, as `fleet.agentless.Machine`; `{}` until
    its registration has come that far."""

    joined = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT 0")])
    """It has joined by itself: no play reaches the machine. Its `address` is the one that it told."""

    broker_hash = peewee.CharField(128, default="", constraints=[peewee.SQL("DEFAULT ''")])
    """Of its long random broker password, salted, as the broker has it: by it one that lost its data lets it in."""
    agent_slots = peewee.IntegerField(null=True)
    """How many slots its agent says it has."""
    trial = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT 0")])
    """It had been set aside, and is tried with one attempt at a time."""
    silent_s = peewee.DoubleField(default=0.0, constraints=[peewee.SQL("DEFAULT 0")])
    """For how long schedulers have listened to it in vain: noted once that is longer than between two heartbeats."""
    awaited_s = peewee.DoubleField(default=0.0, constraints=[peewee.SQL("DEFAULT 0")])
    """Its agent said that it is back in so many seconds; 0 where it did not."""
    refusals = JsonField(null=True)
    """What it refuses for itself, so that it is set aside: `webfront.fleet.refusing.Told` as dicts. None: nothing."""

    @property
    def agentless(self) -> bool:
        """Whether plays do for it what an agent does elsewhere."""
        return self.machine is not None

    @property
    def owned_by(self) -> str:
        return str(self.registered_by)


class Invitation(Model):
    """What lets one machine join by itself, once. Of its token, and of the machine's key, it holds the hash."""

    token_hash = peewee.CharField(64, unique=True)
    node = peewee.CharField(32, index=True)
    """What the machine will be called."""
    slots = peewee.IntegerField()
    labels = JsonField(default=list)
    state = peewee.CharField(16)
    """`webfront.invitations.states.InvitationState`."""
    invited_by = peewee.CharField(64)
    created_at = peewee.DoubleField()
    expires_at = peewee.DoubleField()
    """No machine may claim it any more, nor be approved, nor fetch what it was to get."""
    key_hash = peewee.CharField(64, default="")
    """Of the key by which the machine that has claimed it is known from then on."""
    machine = JsonField(null=True)
    """What that machine says about itself: `webfront.invitations.views.Machine`."""
    claimed_at = peewee.DoubleField(null=True)
    decided_by = peewee.CharField(64, default="")
    """Who has approved, refused or revoked it."""
    decided_at = peewee.DoubleField(null=True)
    sealed = peewee.TextField(null=True)
    """Encrypted by `webfront.secretbox`: the broker password that the machine has already, and once it is admitted what
    it is to get. Empty once it has that."""
